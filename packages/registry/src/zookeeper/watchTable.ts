import { describeError, type Logger } from '@smartstack/agent';
import type { WatchEvent } from './connection.js';
import { baseName, parentOf } from './paths.js';
import type { ZkPath } from './types.js';

type Type = WatchEvent['type'];

function subscribe<K, L>(table: Map<K, Set<L>>, key: K, listener: L): () => void {
  const listeners = table.get(key) ?? new Set<L>();
  table.set(key, listeners.add(listener));
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && table.get(key) === listeners) table.delete(key);
  };
}

/** Who hears of watch events. The watches themselves are set by reading, and forgotten by the server when they fire. */
export class WatchTable {
  readonly #logger: Logger;
  readonly #nodes = new Map<ZkPath, Set<(type: Type) => void>>();
  readonly #children = new Map<ZkPath, Set<(name: string, type: Type) => void>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Events of one node. */
  onNode(path: ZkPath, listener: (type: Type) => void): () => void {
    return subscribe(this.#nodes, path, listener);
  }

  /** Events of any child of a node, with one entry however many children there are. */
  onChildrenOf(parent: ZkPath, listener: (name: string, type: Type) => void): () => void {
    return subscribe(this.#children, parent, listener);
  }

  dispatch({ path, type }: WatchEvent): void {
    for (const listener of [...(this.#nodes.get(path) ?? [])]) this.#call(() => listener(type));
    if (path === '/') return;
    const name = baseName(path);
    for (const listener of [...(this.#children.get(parentOf(path)) ?? [])])
      this.#call(() => listener(name, type));
  }

  #call(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#logger.error('a watch listener failed', { error: describeError(error) });
    }
  }
}
