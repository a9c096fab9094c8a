import { open, readdir, rename, unlink } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { describeError, makeDirectory, writeFileAtomic } from '@smartstack/agent';
import { formatOrder, isEmpty, type Order, parseOrder } from './order.js';

/** No order is anywhere near as long, in bytes. */
const maxBytes = 65_536;

/** Names the orders of one service, or of the host, everywhere: also the file, without its ending. */
export type OrderKey = string;

/** The whole host's. No service has it: `@` is never in a service's. */
export const hostKey: OrderKey = '@host';

/** A service's. */
export function orderKey(service: string): OrderKey {
  // By way of a buffer: half a surrogate cannot be encoded. A file that begins with a dot is hidden.
  return encodeURIComponent(Buffer.from(service).toString()).replace(/^\./, '%2E');
}

/** The service of a key; undefined for the host's. */
export function serviceOf(key: OrderKey): string | undefined {
  return key === hostKey ? undefined : decodeURIComponent(key);
}

/** What a file of the spool holds. `writtenAt` is wall clock milliseconds. */
export type SpoolEntry =
  | {
      readonly kind: 'order';
      readonly order: Order;
      readonly writtenAt: number;
      /** Without content: meant so, or about to be written. */
      readonly isBare: boolean;
    }
  | { readonly kind: 'garbage'; readonly problem: string; readonly writtenAt: number }
  /** Not known: the file could not be opened, or not be read. */
  | { readonly kind: 'unreadable'; readonly problem: string };

/** A directory with one JSON file for each service that has orders. */
export class Spool {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Where a key's orders are. */
  path(key: OrderKey): string {
    return join(this.directory, `${key}.json`);
  }

  /** Makes the directory fit for use. Rejects when it cannot be made, or not be written to. */
  async prepare(): Promise<void> {
    await makeDirectory(this.directory);
    const probe = join(this.directory, '.probe');
    await (await open(probe, 'w')).close();
    await unlink(probe);
    // What a crash in the middle of a write has left.
    const names = await readdir(this.directory);
    const halves = names.filter((name) => /^\..*\.json\..*\.tmp$/.test(name));
    await Promise.all(halves.map((name) => unlink(join(this.directory, name)).catch(() => undefined)));
  }

  /** Everything that is there. Rejects when the directory cannot be read. */
  async read(): Promise<ReadonlyMap<OrderKey, SpoolEntry>> {
    const names = await readdir(this.directory);
    const found = new Map<OrderKey, SpoolEntry>();
    for (const name of names) {
      if (name.startsWith('.') || !name.endsWith('.json')) continue;
      const entry = await this.#readOne(name.slice(0, -'.json'.length));
      if (entry !== undefined) found.set(name.slice(0, -'.json'.length), entry);
    }
    return found;
  }

  /** Writes a key's orders; no orders, no file. Rejects when that fails, and then the old file is there. */
  async write(key: OrderKey, order: Order): Promise<void> {
    if (!isEmpty(order)) {
      await writeFileAtomic(this.path(key), formatOrder(order), { mode: 0o640 });
      return;
    }
    await unlink(this.path(key)).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
    });
  }

  /** Renames a file that cannot be understood, so that it is kept and does not count. Returns its new path. */
  async setAside(key: OrderKey): Promise<string> {
    const aside = `${this.path(key)}.bad`;
    await rename(this.path(key), aside);
    return aside;
  }

  /** Undefined when it went away meanwhile. */
  async #readOne(key: OrderKey): Promise<SpoolEntry | undefined> {
    let writtenAt = 0;
    const garbage = (problem: string): SpoolEntry => ({ kind: 'garbage', problem, writtenAt });
    try {
      // Opening a pipe must not wait for a writer.
      const file = await open(this.path(key), constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stat = await file.stat();
        writtenAt = Math.floor(stat.mtimeMs);
        if (!stat.isFile()) return garbage('not a regular file');
        if (stat.size > maxBytes) return garbage(`more than ${maxBytes} bytes`);
        const problem = nameProblem(key);
        if (problem !== undefined) return garbage(problem);
        const content = await file.readFile('utf8');
        const parsed = parseOrder(content, writtenAt);
        if (!parsed.ok) return garbage(parsed.problem);
        return { kind: 'order', order: parsed.order, writtenAt, isBare: content === '' };
      } finally {
        await file.close();
      }
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT') return undefined;
      // A socket.
      if (code === 'ENXIO') return garbage('not a regular file');
      return { kind: 'unreadable', problem: describeError(error) };
    }
  }
}

/** Whether an error of `Spool.read` says that there is no directory, and so no order. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '');
}

/** Whether an error of `Spool.read` is an answer that waiting does not change: somebody has to do something. */
export function isFinal(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG'].includes(codeOf(error) ?? '');
}

/** Two spellings of one service's name must not contradict each other. */
function nameProblem(key: OrderKey): string | undefined {
  if (key === hostKey) return undefined;
  try {
    const canonical = orderKey(decodeURIComponent(key));
    return canonical === key ? undefined : `the file of this service is called ${canonical}.json`;
  } catch {
    return 'the name of the file is not percent-encoded';
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
