import type { Gain } from '../../traffic/types.js';
import { type Counts, plus } from './counters/counts.js';
import { rowKey } from './counters/statTable.js';
import { ownerOf } from './desired/tierNames.js';
import type { ServiceSections } from './types.js';

/** Which rows of `show stat` are a service's, or a tier's. */
export interface ServiceRows {
  readonly backend: string;
  readonly frontend: string | undefined;
  readonly servers: readonly { readonly name: string; readonly key: string }[];
}

/** Sections are values: their rows are named when somebody counts, once. */
const rows = new WeakMap<ServiceSections, ServiceRows>();

/** The rows of these sections. */
export function rowsOf(sections: ServiceSections): ServiceRows {
  const known = rows.get(sections);
  if (known !== undefined) return known;
  const { frontend, backend } = sections;
  const name = frontend?.title.split(' ')[1];
  const named = {
    backend: rowKey('backend', backend.name),
    frontend: name === undefined ? undefined : rowKey('frontend', name),
    servers: backend.servers.map((server) => ({
      name: server.name,
      key: rowKey('server', backend.name, server.name),
    })),
  };
  rows.set(sections, named);
  return named;
}

/** The sections of each service: its own, and those of its tiers. */
export type Families = ReadonlyMap<string, readonly ServiceSections[]>;

/** The sections by service. */
export function familiesOf(services: readonly ServiceSections[]): Families {
  const families = new Map<string, ServiceSections[]>();
  for (const sections of services) {
    const owner = ownerOf(sections.service);
    const family = families.get(owner);
    if (family === undefined) families.set(owner, [sections]);
    else family.push(sections);
  }
  return families;
}

/** All of them together; undefined when none is known. */
export function sumOf(counts: readonly (Counts | undefined)[]): Counts | undefined {
  const known = counts.filter((each) => each !== undefined);
  return known.length === 0 ? undefined : known.reduce(plus);
}

/** Whoever asks for one server of a family asks for the others next. */
let last:
  | { readonly family: readonly ServiceSections[]; readonly keys: ReadonlyMap<string, readonly string[]> }
  | undefined;

/** The names of a family's servers, each with its rows: a server of a tier is one of its service's, too. */
export function serversOf(family: readonly ServiceSections[]): ReadonlyMap<string, readonly string[]> {
  if (last?.family === family) return last.keys;
  const keys = new Map<string, string[]>();
  for (const { name, key } of family.flatMap((sections) => rowsOf(sections).servers)) {
    const known = keys.get(name);
    if (known === undefined) keys.set(name, [key]);
    else known.push(key);
  }
  last = { family, keys };
  return keys;
}

/** A gain for the history, from what HAProxy's columns gained. */
export function gainOf(counts: Counts): Gain {
  return {
    requests: counts.stot,
    success: counts.hrsp_1xx + counts.hrsp_2xx + counts.hrsp_3xx + counts.hrsp_4xx,
    failure: counts.hrsp_5xx,
    aborted: counts.hrsp_other,
    bytesIn: counts.bin,
    bytesOut: counts.bout,
    retries: counts.wretr,
    redispatches: counts.wredis,
    connectErrors: counts.econ,
    responseErrors: counts.eresp,
    clientAborts: counts.cli_abrt,
  };
}
