import { isAddress } from '../names.js';
import { listenProblem } from '../listenProblem.js';
import { listensOf } from './file/blame.js';
import type { Section } from './sections.js';

/**
 * What `nginx -t` does not look at: an address of `sections` on which somebody else listens, told as nginx does. One of
 * them keeps nginx from loading the file at all. Those of `loaded` are its own.
 */
export async function takenAddress(
  sections: readonly Section[],
  loaded: ReadonlyMap<string, Section>,
): Promise<string | undefined> {
  const own = new Set([...loaded.values()].flatMap((section) => listensOf(section).map(({ port }) => port)));
  const others = sections.flatMap((section) => listensOf(section).filter(({ port }) => !own.has(port)));
  // One after the other: two of the file's own addresses must not meet each other.
  for (const { host, port } of others) {
    const address = hostOf(host);
    const problem = address === undefined ? undefined : await listenProblem({ host: address, port });
    if (problem !== undefined) return `[emerg] bind() to ${host}:${port} failed (${problem})`;
  }
  return undefined;
}

function hostOf(text: string): string | undefined {
  if (text === '*') return '0.0.0.0';
  if (text === 'localhost') return '127.0.0.1';
  const plain = text.replace(/^\[(.*)\]$/, '$1');
  return isAddress(plain) ? plain : undefined;
}
