import { isIPv4 } from 'node:net';
import type { ClientReading, OwnCall, SharedClient } from '../../topology/types.js';
import { callerOfListener } from './desired/callerLines.js';
import { type Frontend, frontendsOf, servicesByBackend } from './entrances.js';
import { parseInfo } from './plan/observed.js';
import type { RuntimeTarget } from './runtime/runtimeTarget.js';
import type { DesiredState } from './types.js';

/** `show sess` has 270 bytes of each, for which HAProxy stops all of its threads: 2.4 ms of 1,000 of them. */
const maxSessions = 2_000;

const session = / proto=tcpv[46] src=(\S+):(\d+) fe=(\S+) be=(\S+) /;

/** The sessions among those of `show sess` that came in at frontends, by what they are for. */
export function sharedClients(
  text: string,
  frontends: ReadonlySet<string>,
  services: ReadonlyMap<string, string>,
): readonly SharedClient[] {
  return text.split('\n').flatMap((line): SharedClient[] => {
    const [, address = '', port, frontend = '', backend = ''] = session.exec(line) ?? [];
    const service = services.get(backend);
    if (service === undefined || !frontends.has(frontend)) return [];
    const mapped = address.replace(/^::ffff:/i, '');
    const host = isIPv4(mapped) ? mapped : address;
    return [{ frontend, client: { host, port: Number(port) }, service }];
  });
}

/** Connections to the listeners of a caller, in one worker. */
interface Connections {
  readonly open: number;
  /** Since the worker's start. */
  readonly total: number;
}

/** Connections of callers in what `show stat` says of listeners. */
export function callersIn(text: string): ReadonlyMap<string, Connections> {
  const [head = '', ...rows] = text.split('\n');
  const columns = head.replace(/^# /, '').split(',');
  const callers = new Map<string, Connections>();
  for (const row of rows) {
    const fields = row.split(',');
    const value = (column: string): string => fields[columns.indexOf(column)] ?? '';
    const caller = callerOfListener(value('svname'));
    if (caller === undefined) continue;
    const { open, total } = callers.get(caller) ?? { open: 0, total: 0 };
    callers.set(caller, { open: open + Number(value('scur')), total: total + Number(value('stot')) });
  }
  return callers;
}

const nothing: ClientReading = { shared: [], own: [], isCut: false };

/** What it works with. */
export interface ClientsOptions {
  readonly targets: readonly Pick<RuntimeTarget, 'connect'>[];
  /** Undefined before anything is wanted. */
  readonly desired: DesiredState | undefined;
  /** Services that were called lately. */
  readonly active: ReadonlySet<string>;
}

/** Asks HAProxy for whom its clients are, where sockets alone do not tell; asks nothing where they do. */
export class Clients {
  /** Connections that were counted already, by worker, frontend and caller. */
  #counted: ReadonlyMap<string, number> = new Map();

  /** Looks once. Never rejects: of an HAProxy that does not answer nothing is known. */
  async look({ targets, desired, active }: ClientsOptions, signal: AbortSignal): Promise<ClientReading> {
    if (desired === undefined) return nothing;
    const frontends = frontendsOf(desired).filter(({ services }) =>
      services.some((name) => active.has(name)),
    );
    const shared = frontends.filter(({ service }) => service === undefined);
    const own = frontends.filter(({ service, callers }) => service !== undefined && callers.length > 0);
    if (shared.length === 0 && own.length === 0) return nothing;
    const counted = new Map<string, number>();
    const services = servicesByBackend(desired);
    const readings = targets.map(async (target): Promise<ClientReading> => {
      try {
        const { session: asked, reply } = await target.connect(signal);
        try {
          const info = parseInfo(reply);
          const isCut = shared.length > 0 && Number(info.get('CurrConns')) > maxSessions;
          const [sessions, ...listeners] = await Promise.all([
            shared.length === 0 || isCut ? '' : asked.ask('show sess'),
            ...own.map(({ frontend }) => asked.ask(`show stat ${frontend} 8 -1`)),
          ]);
          const names = new Set(shared.map(({ frontend }) => frontend));
          return {
            shared: sharedClients(sessions, names, services),
            own: own.flatMap((frontend, index) =>
              this.#calls(frontend, info.get('Pid') ?? '', listeners[index] ?? '', counted),
            ),
            isCut,
          };
        } finally {
          asked.close();
        }
      } catch {
        return nothing;
      }
    });
    const all = await Promise.all(readings);
    this.#counted = counted;
    return {
      shared: all.flatMap((each) => each.shared),
      own: all.flatMap((each) => each.own),
      isCut: all.some(({ isCut }) => isCut),
    };
  }

  /** Callers with a connection now, or one since the last look. */
  #calls(
    { frontend, service = '' }: Frontend,
    pid: string,
    text: string,
    counted: Map<string, number>,
  ): readonly OwnCall[] {
    return [...callersIn(text)].flatMap(([caller, { open, total }]): OwnCall[] => {
      const key = `${pid} ${frontend} ${caller}`;
      const before = this.#counted.get(key) ?? total;
      counted.set(key, total);
      return open > 0 || total > before ? [{ caller, service }] : [];
    });
  }
}
