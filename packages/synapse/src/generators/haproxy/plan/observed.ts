import { canonicalAddress } from '../../names.js';
import type { ObservedServer, ObservedState } from '../types.js';

/** A row of one of HAProxy's tables: the value of a column. Columns are found by name: each version adds some. */
export type Row = (column: string) => string | undefined;

function table(text: string, split: (line: string) => readonly string[]): readonly Row[] {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => line.startsWith('# '));
  if (at < 0) return [];
  const places = new Map(split((lines[at] ?? '').slice(2).trimEnd()).map((column, place) => [column, place]));
  return lines.slice(at + 1).flatMap((line) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const values = split(line.trimEnd());
    return [(column) => values[places.get(column) ?? -1]];
  });
}

/** One CSV line: fields may stand in quotes, with quotes inside doubled. */
function splitCsv(line: string): readonly string[] {
  if (!line.includes('"')) return line.split(',');
  const fields = line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g);
  return [...fields].map(([, field = '']) =>
    field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field,
  );
}

/** `show info` as a map: `Name`, `Version`, `Pid`, `Uptime_sec` … */
export function parseInfo(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return colon < 0 ? [] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()]];
    }),
  );
}

/** `show stat` (CSV), one row per frontend, backend and server. */
export function parseStat(text: string): readonly Row[] {
  return table(text, splitCsv);
}

/** Bits of `srv_admin_state` that take a server out: forced, by resolution, by its host name. Inherited ones are its leader's. */
const maintBits = 0x01 | 0x20 | 0x40;
const drainBits = 0x08;
/** Bit of `srv_check_state` that says checks are enabled (they may be paused by maint). */
const checkEnabledBit = 0x04;
const operational = ['down', 'starting', 'up', 'stopping'] as const;

function parseServer(row: Row): ObservedServer | undefined {
  const number = (column: string): number => Number(row(column) || Number.NaN);
  const name = row('srv_name');
  const [id, port, weight] = [number('srv_id'), number('srv_port'), number('srv_uweight')];
  const bits = number('srv_admin_state');
  const state = operational[number('srv_op_state')];
  if (!name || state === undefined || ![id, port, weight, bits].every(Number.isInteger)) return undefined;
  return {
    name,
    id,
    address: canonicalAddress(row('srv_addr') ?? ''),
    port,
    weight,
    admin: bits & maintBits ? 'maint' : bits & drainBits ? 'drain' : 'ready',
    operational: state,
    checked: (number('srv_check_state') & checkEnabledBit) !== 0,
  };
}

/** `show servers state`: servers by backend. A backend without servers does not appear. */
export function parseServersState(text: string): ReadonlyMap<string, ReadonlyMap<string, ObservedServer>> {
  const backends = new Map<string, Map<string, ObservedServer>>();
  for (const row of table(text, (line) => line.split(' '))) {
    const backend = row('be_name');
    const server = parseServer(row);
    if (!backend || server === undefined) continue;
    const servers = backends.get(backend) ?? new Map<string, ObservedServer>();
    servers.set(server.name, server);
    backends.set(backend, servers);
  }
  return backends;
}

/** `show backend`: the names of all backends, also those without servers. */
function parseBackends(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** Answers of one process, all read over one connection. */
export interface ObservedTexts {
  /** `show info`. */
  readonly info: string;
  /** `show servers state`. */
  readonly serversState: string;
  /** `show backend`: without it, a backend without servers would seem to be missing. */
  readonly backends: string;
}

/**
 * What the running process is, from its own words; undefined when they are not HAProxy's. Backends whose servers
 * are as they were in `before` are the same values.
 */
export function observedState(
  { info, serversState, backends }: ObservedTexts,
  before?: ObservedState,
): ObservedState | undefined {
  const facts = parseInfo(info);
  const pid = Number(facts.get('Pid') || Number.NaN);
  const version = facts.get('Version');
  if (!Number.isInteger(pid) || version === undefined) return undefined;
  const servers = parseServersState(serversState);
  const all = new Map<string, ReadonlyMap<string, ObservedServer>>();
  for (const name of [...parseBackends(backends), ...servers.keys()]) {
    all.set(name, sameOrNew(before?.backends.get(name), servers.get(name) ?? new Map()));
  }
  const uptimeSeconds = Number(facts.get('Uptime_sec') ?? 0) || 0;
  return { process: { pid, version, uptimeSeconds }, backends: all };
}

type Servers = ReadonlyMap<string, ObservedServer>;

/** `before` if `now` says the same. */
export function sameOrNew(before: Servers | undefined, now: Servers): Servers {
  if (before?.size !== now.size) return now;
  for (const [name, server] of now) {
    const old = before.get(name);
    if (old === undefined || !isSameServer(old, server)) return now;
  }
  return before;
}

function isSameServer(a: ObservedServer, b: ObservedServer): boolean {
  return (
    a.id === b.id &&
    a.address === b.address &&
    a.port === b.port &&
    a.weight === b.weight &&
    a.admin === b.admin &&
    a.operational === b.operational &&
    a.checked === b.checked
  );
}
