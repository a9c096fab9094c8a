import { describeError } from '@smartstack/agent';
import { parseStat, type Row } from '../plan/observed.js';
import type { RuntimeSession } from './runtimeClient.js';
import type { RuntimeTarget } from './runtimeTarget.js';

/** What HAProxy says of one of its servers, to people. */
export interface SeenServer {
  readonly name: string;
  readonly address: string | undefined;
  /** Its own words, in lower case: `up`, `up 1/3`, `down`, `maint`, `drain`, `nolb`, `no check`. */
  readonly status: string;
  readonly weight: number | undefined;
  /** The outcome of its last check: `L4CON: Connection refused`. */
  readonly check: string | undefined;
  /** Seconds in this status. */
  readonly seconds: number | undefined;
  /** So many more connections it takes at once; undefined where it has no limit. */
  readonly free: number | undefined;
}

/** What one process says of its backends, or why there is no answer. */
export type Look =
  | {
      readonly socket: string;
      readonly pid: string;
      /** Servers by backend; a backend that the process lacks is absent. */
      readonly backends: ReadonlyMap<string, readonly SeenServer[]>;
    }
  | { readonly socket: string; readonly problem: string };

function numberIn(text: string | undefined): number | undefined {
  return text === undefined || text === '' || Number.isNaN(Number(text)) ? undefined : Number(text);
}

function seenServer(row: Row): SeenServer {
  const outcome = row('check_status') ?? '';
  const said = row('last_chk') || row('check_desc') || '';
  return {
    name: row('svname') ?? '',
    address: row('addr') || undefined,
    status: (row('status') ?? '').toLowerCase(),
    weight: numberIn(row('uweight') || row('weight')),
    check: outcome === '' ? undefined : [outcome, said].filter((part) => part !== '').join(': '),
    seconds: numberIn(row('lastchg')),
    free: freeIn(row),
  };
}

function freeIn(row: Row): number | undefined {
  const limit = numberIn(row('slim'));
  return limit === undefined || limit === 0 ? undefined : limit - (numberIn(row('scur')) ?? 0);
}

/** Servers only: type 4 of `show stat`. */
async function serversOf(session: RuntimeSession, proxy: string): Promise<readonly Row[]> {
  return parseStat(await session.ask(`show stat ${proxy} 4 -1`));
}

/** A frontend may have the backend's name, and would be found first: its number is asked for. */
async function oneBackend(session: RuntimeSession, name: string): Promise<[string, SeenServer[]][]> {
  const state = await session.ask(`show servers state ${name}`);
  if (!state.includes('# be_id')) return [];
  const id = /^(\d+) /m.exec(state.slice(state.indexOf('# be_id')))?.[1];
  const rows = id === undefined ? [] : await serversOf(session, id);
  return [[name, rows.map(seenServer)]];
}

async function allBackends(session: RuntimeSession): Promise<Map<string, SeenServer[]>> {
  const [names, rows] = await Promise.all([session.ask('show backend'), serversOf(session, '-1')]);
  const listed = names.split('\n').flatMap((line) => (/^#|^\s*$/.test(line) ? [] : [line.trim()]));
  const backends = new Map<string, SeenServer[]>(listed.map((name) => [name, []]));
  for (const row of rows) backends.get(row('pxname') ?? '')?.push(seenServer(row));
  return backends;
}

async function someBackends(
  session: RuntimeSession,
  names: readonly string[],
): Promise<Map<string, SeenServer[]>> {
  return new Map((await Promise.all(names.map((name) => oneBackend(session, name)))).flat());
}

/** Asks the process behind `target` about some backends, or about all, on a connection of its own. Never rejects. */
export async function lookAt(
  target: RuntimeTarget,
  names: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<Look> {
  const { socketPath: socket } = target;
  try {
    const { session, reply } = await target.connect(signal);
    try {
      const backends = await (names === undefined ? allBackends(session) : someBackends(session, names));
      return { socket, pid: /^Pid: *(\d+)/m.exec(reply)?.[1] ?? '', backends };
    } finally {
      session.close();
    }
  } catch (error) {
    return { socket, problem: describeError(error) };
  }
}
