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
  readonly targets: readonly Pick<RuntimeTarget, 'connect' | 'socketPath'>[];
  /** Undefined before anything is wanted. */
  readonly desired: DesiredState | undefined;
  /** Services that were called lately. */
  readonly active: ReadonlySet<string>;
}

/** What was counted already of the worker that answers on a socket. */
interface Counted {
  readonly worker: string;
  /** It took the place of one that was looked at: none of its connections is older than that look. */
  readonly isSuccessor: boolean;
  /** Connections since its start, by frontend and caller, as of the last look at each frontend. */
  readonly totals: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** Asks HAProxy for whom its clients are, where sockets alone do not tell; asks nothing where they do. */
export class Clients {
  /** By socket. */
  readonly #counted = new Map<string, Counted>();

  /** Looks once. Never rejects: of an HAProxy that does not answer nothing is known. */
  async look({ targets, desired, active }: ClientsOptions, signal: AbortSignal): Promise<ClientReading> {
    if (desired === undefined || targets.length === 0) return nothing;
    const all = frontendsOf(desired);
    const owned = all.filter(({ service, callers }) => service !== undefined && callers.length > 0);
    this.#forget(targets, owned);
    const isActive = ({ services }: Frontend): boolean => services.some((name) => active.has(name));
    const shared = all.filter((frontend) => frontend.service === undefined && isActive(frontend));
    const own = owned.filter(isActive);
    if (shared.length === 0 && own.length === 0) return nothing;
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
          const worker = `${info.get('Pid') ?? ''} ${info.get('Start_time_sec') ?? ''}`;
          const told = own.map((frontend, index) => [frontend, callersIn(listeners[index] ?? '')] as const);
          return {
            shared: sharedClients(sessions, names, services),
            own: this.#calls(target.socketPath, worker, told),
            isCut,
          };
        } finally {
          asked.close();
        }
      } catch {
        return nothing;
      }
    });
    const found = await Promise.all(readings);
    return {
      shared: found.flatMap((each) => each.shared),
      own: found.flatMap((each) => each.own),
      isCut: found.some(({ isCut }) => isCut),
    };
  }

  /** Lets go of sockets and frontends that there are no more. */
  #forget(targets: ClientsOptions['targets'], owned: readonly Frontend[]): void {
    const names = new Set(owned.map(({ frontend }) => frontend));
    const sockets = new Set(targets.map(({ socketPath }) => socketPath));
    for (const [socket, counted] of this.#counted) {
      const totals = new Map([...counted.totals].filter(([frontend]) => names.has(frontend)));
      if (sockets.has(socket)) this.#counted.set(socket, { ...counted, totals });
      else this.#counted.delete(socket);
    }
  }

  /** Callers with a connection now, or one since the last look at their frontend. */
  #calls(
    socket: string,
    worker: string,
    told: readonly (readonly [Frontend, ReadonlyMap<string, Connections>])[],
  ): readonly OwnCall[] {
    const last = this.#counted.get(socket);
    const isSame = last?.worker === worker;
    const isSuccessor = isSame ? last.isSuccessor : last !== undefined;
    const totals = new Map(isSame ? last.totals : []);
    const calls = told.flatMap(([{ frontend, service = '' }, callers]) => {
      const known = totals.get(frontend);
      const now = [...callers].map(([caller, { total }]) => [caller, total] as const);
      totals.set(frontend, new Map(now));
      return [...callers].flatMap(([caller, { open, total }]): OwnCall[] => {
        const before = known?.get(caller) ?? (isSuccessor ? 0 : total);
        return open > 0 || total > before ? [{ caller, service }] : [];
      });
    });
    this.#counted.set(socket, { worker, isSuccessor, totals });
    return calls;
  }
}
