import { Memo } from '../desired/memo.js';
import type { Outline } from '../desired/outline.js';
import type { ObservedServer, ObservedState } from '../types.js';

/** The servers of one backend as they run, by name. */
export type Running = ReadonlyMap<string, ObservedServer>;
type Backends = ObservedState['backends'];

interface Origin {
  /** What it was made of; nobody keeps that for our sake. */
  readonly before: WeakRef<Backends>;
  readonly replaced: ReadonlyMap<string, Running>;
}

const origins = new WeakMap<Backends, Origin>();

/** The backends of a process of which some were read again. */
export function withReplaced(before: Backends, replaced: ReadonlyMap<string, Running>): Backends {
  const now = new Map(before);
  for (const [name, servers] of replaced) now.set(name, servers);
  origins.set(now, { before: new WeakRef(before), replaced });
  return now;
}

/** Those that may be other ones than in `before`: all of them, where nobody knows. */
export function replacedSince(before: Backends | undefined, now: Backends): ReadonlyMap<string, Running> {
  const origin = origins.get(now);
  return origin !== undefined && origin.before.deref() === before ? origin.replaced : now;
}

const places = new Memo<Outline, ReadonlyMap<string, number>>();

function placesIn(outline: Outline): ReadonlyMap<string, number> {
  return places.of(outline, [], () => new Map(outline.map(({ backend }, index) => [backend.name, index])));
}

interface List {
  readonly outline: Outline;
  readonly list: readonly (Running | undefined)[];
}

const lists = new WeakMap<Backends, List>();

/** What runs of each service's backend, by the place of the service; undefined where the process lacks it. */
export function runningIn(backends: Backends, outline: Outline): List['list'] {
  const known = lists.get(backends);
  if (known?.outline === outline) return known.list;
  const list = updated(backends, outline) ?? outline.map(({ backend }) => backends.get(backend.name));
  lists.set(backends, { outline, list });
  return list;
}

/** That of the backends before with what was replaced since; undefined where that is not known. */
function updated(backends: Backends, outline: Outline): List['list'] | undefined {
  const origin = origins.get(backends);
  const before = origin?.before.deref();
  const known = before && lists.get(before);
  if (origin === undefined || known?.outline !== outline) return undefined;
  const list = [...known.list];
  for (const [name, servers] of origin.replaced) {
    const place = placesIn(outline).get(name);
    if (place !== undefined) list[place] = servers;
  }
  return list;
}
