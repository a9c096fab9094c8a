import { isDeepStrictEqual } from 'node:util';

import type { Instance } from '@smartstack/registry';

import type { CatalogRules } from './definition.js';
import { maxInstances } from './limit.js';
import { applyFallback, mergeBlocks, rememberKnown, selectInstances } from './resolve.js';
import type { NoLeader } from './select.js';
import type {
  CatalogView,
  GeneratorBlocks,
  ServiceView,
  Snapshot,
  SnapshotPart,
  SourceProblem,
} from './types.js';

interface Entry {
  readonly rules: CatalogRules;
  readonly snapshot: Snapshot;
  readonly known: readonly Instance[];
  /** Monotonic milliseconds until which a pending service is waited for. */
  readonly waitUntil: number;
  /** Monotonic milliseconds since which the snapshot is not live. */
  readonly staleSince: number | undefined;
}

/** A view, and whether it should be acted on. */
export interface CatalogReading {
  readonly view: CatalogView;
  /** Services that told nothing yet and are still waited for. */
  readonly waiting: readonly string[];
  /** Milliseconds until the first of them is waited for no longer. */
  readonly againInMs: number | undefined;
}

/** One service for the status page and the metrics. */
export interface CatalogStatus extends ServiceView {
  readonly discovered: number;
  /** Those among them that their source lost all at once, and that are kept for a time. */
  readonly held: number;
  /** Milliseconds for which its source has been lost; 0 while it is live. */
  readonly staleMs: number;
  readonly noLeader: NoLeader | undefined;
  /** What is wrong in its source. */
  readonly problems: readonly SourceProblem[];
  /** Its watchers, where it has several. */
  readonly parts: readonly SnapshotPart[];
}

/** How much there is of one service. */
export interface CatalogCounts {
  readonly source: ServiceView['source'];
  /** Instances that generators see. */
  readonly count: number;
  /** See CatalogStatus. */
  readonly held: number;
}

interface EntryView {
  readonly view: ServiceView;
  readonly counts: CatalogCounts;
  readonly noLeader: NoLeader | undefined;
  /** Instances beyond those that a service can have. */
  readonly leftOut: number;
  /** See CatalogStatus. */
  readonly discovered: number;
}

const pending: Snapshot = { status: 'pending' };

/** Watchers hand on an instance that did not change as the very same: then hundreds of them compare at a glance. */
function isSameSnapshot(a: Snapshot, b: Snapshot): boolean {
  if (a.status === 'pending' || b.status === 'pending') return isDeepStrictEqual(a, b);
  const { instances: before, ...restBefore } = a;
  const { instances: now, ...restNow } = b;
  return (
    before.length === now.length &&
    isDeepStrictEqual(restBefore, restNow) &&
    before.every((instance, at) => instance === now[at] || isDeepStrictEqual(instance, now[at]))
  );
}

/** Watchers read the configuration of a registry anew each time: one that is equal stays the very same. */
function withKnownConfig(before: Snapshot, told: Snapshot): Snapshot {
  if (before.status === 'pending' || told.status === 'pending') return told;
  const { generatorConfig: known } = before;
  return known !== undefined && isDeepStrictEqual(known, told.generatorConfig)
    ? { ...told, generatorConfig: known }
    : told;
}

/** A new watcher that knows nothing yet takes nothing away from what another one knew. */
function withoutNews(before: Snapshot, told: Snapshot): Snapshot {
  if (before.status === 'pending') return told;
  return { ...before, status: 'stale', ...(told.parts !== undefined && { parts: told.parts }) };
}

/** The latest snapshot of each service, and the views that follow from them. Holds state; does no IO. */
export class Catalog {
  #entries = new Map<string, Entry>();
  /** Services that a generator was shown. They are never left out of a view again. */
  #introduced: ReadonlySet<string> = new Set<string>();
  #unreadable: readonly string[] = [];
  /** A service that was waited for when that was asked last: as long as it is, nobody else needs to be looked at. */
  #late: string | undefined;
  /** Services that can be discovered by now and could not before: what they have stays theirs until they spoke. */
  #mended: ReadonlySet<string> = new Set<string>();
  readonly #views = new WeakMap<Entry, EntryView>();
  /** What a registry's configuration, laid over the local one, came to: by it generators know that nothing changed. */
  readonly #blocks = new WeakMap<
    GeneratorBlocks,
    { readonly local: GeneratorBlocks; readonly made: GeneratorBlocks }
  >();

  /**
   * Sets which services exist, in order. A service that stays keeps what it knows. `now` and
   * `waitUntil` are monotonic milliseconds; until the latter a new one may be waited for. `unreadable` are
   * services that nobody knows how to discover.
   */
  define(
    services: ReadonlyMap<string, CatalogRules>,
    now: number,
    waitUntil: number,
    unreadable: readonly string[] = [],
  ): void {
    const fresh = { snapshot: pending, known: [], waitUntil, staleSince: now };
    const entryFor = (name: string, rules: CatalogRules): Entry => {
      const before = this.#entries.get(name);
      return before && isDeepStrictEqual(before.rules, rules) ? before : { ...(before ?? fresh), rules };
    };
    this.#entries = new Map([...services].map(([name, rules]) => [name, entryFor(name, rules)]));
    this.#mended = new Set([...this.#unreadable, ...this.#mended].filter((name) => services.has(name)));
    this.#unreadable = unreadable;
    this.#introduced = new Set([...this.#introduced].filter((name) => services.has(name)));
  }

  /** Takes a snapshot; true when it differs from the one before. Unknown services are ignored. */
  update(service: string, told: Snapshot, now: number): boolean {
    const entry = this.#entries.get(service);
    if (entry === undefined) return false;
    const { snapshot: before } = entry;
    const snapshot = told.status === 'pending' ? withoutNews(before, told) : withKnownConfig(before, told);
    if (isSameSnapshot(before, snapshot)) return false;
    const staleSince = snapshot.status === 'live' ? undefined : (entry.staleSince ?? now);
    const known = rememberKnown(entry.known, snapshot);
    this.#entries.set(service, { ...entry, snapshot, known, staleSince });
    return true;
  }

  /** Marks what a service knows as stale: its watcher was replaced and the new one told nothing yet. */
  supersede(service: string, now: number): void {
    const snapshot = this.#entries.get(service)?.snapshot;
    if (snapshot?.status === 'live') this.update(service, { ...snapshot, status: 'stale' }, now);
  }

  /**
   * The view at `now`. Services that are still waited for are left out of it unless a view held them
   * before; acting on the very first view while any of them waits would take their routes away.
   */
  read(now: number): CatalogReading {
    const waiting: string[] = [];
    const services: ServiceView[] = [];
    const mended: string[] = [];
    let nextDeadline = Infinity;
    for (const [name, entry] of this.#entries) {
      if (this.#isWaitingFor(name, now)) {
        waiting.push(name);
        if (this.#mended.has(name)) mended.push(name);
        nextDeadline = Math.min(nextDeadline, entry.waitUntil);
      } else {
        services.push(this.#view(name, entry).view);
      }
    }
    const unreadable = mended.length > 0 ? [...this.#unreadable, ...mended] : this.#unreadable;
    return {
      view: { services, ...(unreadable.length > 0 && { unreadable }) },
      waiting,
      againInMs: waiting.length > 0 ? nextDeadline - now : undefined,
    };
  }

  /** True while the first view would be one to wait with. Cheaper than `read`, for whoever asks at each change. */
  isWaiting(now: number): boolean {
    if (this.#late !== undefined && this.#isWaitingFor(this.#late, now)) return true;
    this.#late = [...this.#entries.keys()].find((name) => this.#isWaitingFor(name, now));
    return this.#late !== undefined;
  }

  #isWaitingFor(name: string, now: number): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined || this.#introduced.has(name)) return false;
    return entry.snapshot.status === 'pending' && now < entry.waitUntil;
  }

  /** Notes that a generator acted on `view`, so that no later view leaves its services out. */
  introduce(view: CatalogView): void {
    const isNew = ({ name }: ServiceView): boolean => !this.#introduced.has(name) && this.#entries.has(name);
    const shown = view.services.filter(isNew).map(({ name }) => name);
    if (shown.length > 0) this.#introduced = new Set([...this.#introduced, ...shown]);
  }

  /** Every service, waited for or not. */
  status(now: number): readonly CatalogStatus[] {
    return [...this.#entries].map(([name, entry]) => {
      const { view, noLeader, leftOut, discovered, counts } = this.#view(name, entry);
      const { held } = counts;
      const known = entry.snapshot.status === 'pending' ? [] : (entry.snapshot.problems ?? []);
      const reason = `More than ${maxInstances} instances: ${leftOut} are left out`;
      const problems = leftOut > 0 ? [{ path: name, reason }, ...known] : known;
      const staleMs = entry.staleSince === undefined ? 0 : now - entry.staleSince;
      const parts = entry.snapshot.parts ?? [];
      return { ...view, discovered, held, staleMs, noLeader, problems, parts };
    });
  }

  /** Every service, as numbers. Cheaper than `status`, for whoever asks all the time. */
  counts(): readonly CatalogCounts[] {
    return [...this.#entries].map(([name, entry]) => this.#view(name, entry).counts);
  }

  /** What a service's view is made of; undefined for one that does not exist. */
  ingredients(service: string): Pick<Entry, 'snapshot' | 'known' | 'rules'> | undefined {
    return this.#entries.get(service);
  }

  /** Entries are values: what was computed for one holds, and keeps its identity, until the next. */
  #view(name: string, entry: Entry): EntryView {
    const known = this.#views.get(entry);
    if (known !== undefined) return known;
    const { snapshot, rules } = entry;
    const resolved = applyFallback(snapshot, entry.known, rules);
    const { instances, noLeader, leftOut = 0 } = selectInstances(resolved.instances, rules);
    const told = snapshot.status === 'pending' ? undefined : snapshot.generatorConfig;
    const view = { name, source: resolved.source, instances, blocks: this.#merged(rules.blocks, told) };
    const all = snapshot.status === 'pending' ? [] : snapshot.instances;
    const held = all.filter((instance) => instance.held).length;
    const counts = { source: view.source, count: instances.length, held };
    const computed = { view, counts, noLeader, leftOut, discovered: all.length };
    this.#views.set(entry, computed);
    return computed;
  }

  #merged(local: GeneratorBlocks, told: GeneratorBlocks | undefined): GeneratorBlocks {
    const known = told && this.#blocks.get(told);
    if (known?.local === local) return known.made;
    const made = mergeBlocks(local, told);
    if (told !== undefined) this.#blocks.set(told, { local, made });
    return made;
  }
}
