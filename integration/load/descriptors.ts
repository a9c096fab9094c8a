import { readdir } from 'node:fs/promises';
import { parseServersState } from '../../packages/synapse/src/generators/haproxy/plan/observed.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket } from '../harness/haproxy.ts';

/** A process that could leak. */
export interface Suspect {
  readonly name: string;
  readonly pid: number;
  /** Where HAProxy's worker tells what its descriptors are for. */
  readonly adminSocket?: string;
}

/** Open file descriptors, sockets included, by the process's name. */
export type Descriptors = ReadonlyMap<string, number>;

/**
 * Idle connections to servers that HAProxy has now: its pool keeps about one for each that was used, for ever.
 * A connection to a server that is gone is none of these, nor one of a TCP check, which has no H1.
 */
async function pooled(adminSocket: string): Promise<number> {
  const state = parseServersState(await askSocket(adminSocket, 'show servers state'));
  const lines = (await askSocket(adminSocket, 'show fd')).split('\n');
  return lines.filter((line) => {
    const [, backend = '', server = ''] = /\bback=1\b.*\bsv=([^/\s]+)\/(\S+) mux=H1\b/.exec(line) ?? [];
    return state.get(backend)?.has(server);
  }).length;
}

async function count({ pid, adminSocket }: Suspect): Promise<number> {
  const all = (await readdir(`/proc/${pid}/fd`)).length;
  return adminSocket === undefined ? all : all - (await pooled(adminSocket));
}

/** The least of a second, since what passes only adds. */
async function leastOfASecond(suspects: readonly Suspect[]): Promise<Descriptors> {
  const least = new Map<string, number>();
  const end = performance.now() + 1_000;
  while (performance.now() < end) {
    for (const suspect of suspects) {
      const now = await count(suspect);
      least.set(suspect.name, Math.min(now, least.get(suspect.name) ?? now));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return least;
}

/**
 * How many each process holds when nothing passes by. What is opened once and kept (synapse's session to each worker,
 * by which it counts) may come a moment after the start: two seconds in a row agree when it is there.
 */
export async function descriptorsAtRest(suspects: readonly Suspect[]): Promise<Descriptors> {
  let last = await leastOfASecond(suspects);
  return eventually(
    async () => {
      const before = last;
      last = await leastOfASecond(suspects);
      return [...last].every(([name, held]) => before.get(name) === held) ? last : undefined;
    },
    { what: 'descriptors come to rest', timeoutMs: 20_000 },
  );
}

/** Waits until no process holds more than before. Throws with the counts, and HAProxy's own list of what it holds. */
export async function awaitNoneLeaked(
  suspects: readonly Suspect[],
  before: Descriptors,
  timeoutMs: number,
): Promise<void> {
  const grown = async (): Promise<readonly string[]> => {
    const sentences: string[] = [];
    for (const suspect of suspects) {
      const [was, now] = [before.get(suspect.name) ?? 0, await count(suspect)];
      if (now > was) sentences.push(`${suspect.name}: ${was} -> ${now}`);
    }
    return sentences;
  };
  await eventually(
    async () => {
      const more = await grown();
      if (more.length > 0) throw new Error(more.join('; '));
      return true;
    },
    { what: 'no descriptor is left open', timeoutMs, intervalMs: 100 },
  ).catch(async (error: unknown) => {
    const lists = suspects.flatMap(({ adminSocket }) => adminSocket ?? []);
    const told = await Promise.all(lists.map((socket) => askSocket(socket, 'show fd')));
    throw new Error(`${String(error)}\n${told.join('\n')}`, { cause: error });
  });
}
