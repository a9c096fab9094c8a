import { setMaxListeners } from 'node:events';
import type { Clock, Gauge } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';
import type { ReporterChoice } from './reporters/index.js';
import type { PlainState, Reporter, ReportState } from './reporters/reporter.js';

/** How long a new registration may take to stand before the one that it replaces goes, in milliseconds (airbnb's 30 s). */
const handoverMs = 30_000;

/** How reporters are made and compared; in tests, fake ones. */
interface ReporterFactory {
  place(choice: ReporterChoice): string;
  clash(before: ReporterChoice, after: ReporterChoice): boolean;
  /** Throws when there can be none. */
  create(choice: ReporterChoice): Reporter;
}

export interface ReporterSetOptions {
  readonly service: string;
  readonly clock: Clock;
  /** Label `reporter`: its name. */
  readonly registered: Gauge;
  readonly factory: ReporterFactory;
  /** Hears whether all registries took what was reported: of the first failure, and of the success. */
  readonly onReported: (success: boolean) => void;
  readonly onDisposed?: () => void;
}

interface Member {
  readonly place: string;
  readonly reporter: Reporter;
  readonly stop: AbortController;
  readonly forget: () => void;
  choice: ReporterChoice;
  /** Something was reported to it. */
  told: boolean;
  /** It has not stood yet: what it replaces waits for it. */
  fresh: boolean;
  /** Somebody waits for it to be withdrawn. */
  ending: boolean;
}

/**
 * All reporters of one service, as one. Each goes its own way: one that fails holds up no other. A change of the list
 * leaves alone whatever stays at its place; what is new stands before what it replaces goes.
 */
export class ReporterSet implements Reporter<readonly ReporterChoice[]> {
  readonly #options: ReporterSetOptions;
  readonly #listeners = new Set<() => void>();
  readonly #end = new AbortController();
  readonly #disposing = new Set<Promise<void>>();
  #members: readonly Member[] = [];
  /** No longer in the list, and not withdrawn yet. */
  #leaving: readonly Member[] = [];
  #wanted: Instance | undefined;
  #runner: { readonly signal: AbortSignal; readonly fail: (error: unknown) => void } | undefined;
  #handover = new AbortController();
  /** Monotonic: when something left the list last. */
  #leftAt = 0;
  /** What was reported last waits for its success; `failed`: that it did not come at once was told. */
  #report: { failed: boolean; readonly stop: AbortController } | undefined;

  /** Throws when one of the reporters cannot be made; then none is. */
  constructor(choices: readonly ReporterChoice[], options: ReporterSetOptions) {
    this.#options = options;
    setMaxListeners(0, this.#end.signal);
    this.configure(choices);
  }

  get state(): ReportState {
    const [first] = this.#members;
    if (first && this.#members.length === 1) return first.reporter.state;
    const states = this.#members.map(({ choice, reporter }) => ({
      reporter: choice.name,
      ...reporter.state,
    }));
    return { ...combined(states), reporters: states };
  }

  /** True when whatever is left to do waits for a registry that cannot be reached. */
  get unreachable(): boolean {
    const all = [...this.#members, ...this.#leaving];
    const aim = this.#wanted === undefined ? 'absent' : 'present';
    const open = all.filter(({ reporter }) => reporter.state.kind !== aim);
    return (open.length > 0 ? open : all).every(({ reporter }) => reporter.unreachable);
  }

  report(instance: Instance | undefined): void {
    this.#wanted = instance;
    // Only the latest report is waited for: there may be many before a registry comes back.
    this.#report?.stop.abort();
    const report = { failed: false, stop: new AbortController() };
    this.#report = report;
    for (const member of this.#members) this.#tell(member, instance);
    this.settled(report.stop.signal).then(
      () => {
        if (this.#report === report) this.#options.onReported(true);
        if (this.#report === report) this.#report = undefined;
      },
      () => undefined,
    );
    if (instance === undefined) this.#withdrawLeaving();
    else this.#handOver().catch(() => undefined);
  }

  /** Throws when a new one cannot be made; then nothing has changed. What is new is told with the next report. */
  configure(choices: readonly ReporterChoice[]): void {
    const { factory } = this.#options;
    const all = [...this.#members, ...this.#leaving];
    // What was in the list before replaces nothing that leaves it now.
    if (this.#leaving.length === 0) for (const member of this.#members) member.fresh = false;
    const known = new Map(all.map((member) => [member.place, member]));
    const made: Member[] = [];
    try {
      for (const choice of choices)
        if (!known.has(factory.place(choice))) made.push(this.#create(choice, factory.place(choice)));
    } catch (error) {
      for (const member of made) this.#dispose(member);
      throw error;
    }
    for (const member of made) known.set(member.place, member);
    this.#members = choices.flatMap((choice) => {
      const member = known.get(factory.place(choice));
      if (!member) return [];
      // It comes back, and what is in the list in its place waits until it stands again.
      if (this.#leaving.includes(member) && (member.ending || member.reporter.state.kind !== 'present'))
        member.fresh = true;
      if (member.choice !== choice) {
        if (member.choice.name !== choice.name) this.#unmeasure(member);
        member.choice = choice;
        member.reporter.configure(choice.settings);
      }
      return [member];
    });
    const leaving = all.filter((member) => !this.#members.includes(member));
    if (leaving.some((member) => !this.#leaving.includes(member)))
      this.#leftAt = this.#options.clock.monotonic();
    this.#leaving = leaving;
    for (const member of this.#leaving) if (!member.told) this.#drop(member);
    this.#note();
  }

  async settled(signal: AbortSignal): Promise<void> {
    const all = this.#wanted === undefined ? [...this.#members, ...this.#leaving] : this.#members;
    await Promise.all(all.map(({ reporter }) => reporter.settled(signal)));
  }

  onChange(listener: () => void): () => void {
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  run(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#runner = { signal, fail: reject };
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (signal.aborted) resolve();
      for (const member of [...this.#members, ...this.#leaving]) this.#start(member);
    });
  }

  async dispose(deadlineMs?: number): Promise<void> {
    this.#end.abort();
    this.#report?.stop.abort();
    this.#handover.abort();
    this.#options.onDisposed?.();
    for (const member of [...this.#members, ...this.#leaving]) this.#dispose(member, deadlineMs);
    this.#members = [];
    this.#leaving = [];
    await Promise.all(this.#disposing);
  }

  #create(choice: ReporterChoice, place: string): Member {
    const reporter = this.#options.factory.create(choice);
    const stop = new AbortController();
    const forget = reporter.onChange(() => this.#note());
    const member = { choice, place, reporter, stop, forget, told: false, fresh: true, ending: false };
    this.#start(member);
    return member;
  }

  #start({ reporter, stop }: Member): void {
    const runner = this.#runner;
    if (runner === undefined || runner.signal.aborted) return;
    reporter.run(AbortSignal.any([runner.signal, stop.signal])).catch((error: unknown) => {
      if (!runner.signal.aborted && !stop.signal.aborted) runner.fail(error);
    });
  }

  #tell(member: Member, instance: Instance | undefined): void {
    member.told = true;
    member.reporter.report(instance);
  }

  /** Withdraws what is no longer in the list, once what is in it stands, or could stand but for that. */
  async #handOver(): Promise<void> {
    this.#handover.abort();
    if (this.#leaving.length === 0) return;
    const { clock, factory } = this.#options;
    const inTheWay = (one: Member): boolean =>
      this.#leaving.some(({ choice }) => factory.clash(choice, one.choice));
    const limit = new AbortController();
    this.#handover = limit;
    setMaxListeners(0, limit.signal);
    const restMs = this.#leftAt + handoverMs - clock.monotonic();
    const timer = clock.setTimeout(() => limit.abort(), restMs);
    const waits = this.#members
      .filter(({ fresh }) => fresh)
      .map((member) =>
        inTheWay(member) ? reached(member.reporter, limit.signal) : member.reporter.settled(limit.signal),
      );
    await Promise.allSettled(waits);
    timer.cancel();
    // A later report has taken over, or all of it has ended.
    if (limit !== this.#handover || this.#end.signal.aborted) return;
    for (const member of this.#members) member.fresh = false;
    this.#withdrawLeaving();
  }

  #withdrawLeaving(): void {
    for (const member of this.#leaving) {
      this.#tell(member, undefined);
      if (member.ending) continue;
      member.ending = true;
      member.reporter.settled(this.#end.signal).then(
        () => {
          member.ending = false;
          if (this.#leaving.includes(member)) this.#drop(member);
        },
        () => undefined,
      );
    }
  }

  #drop(member: Member): void {
    this.#leaving = this.#leaving.filter((one) => one !== member);
    this.#dispose(member);
  }

  #dispose(member: Member, deadlineMs?: number): void {
    member.stop.abort();
    member.forget();
    this.#unmeasure(member);
    const disposed = member.reporter.dispose(deadlineMs).finally(() => this.#disposing.delete(disposed));
    this.#disposing.add(disposed);
  }

  #note(): void {
    const { registered, service } = this.#options;
    for (const { choice, reporter } of this.#members)
      registered.set(reporter.state.kind === 'present' ? 1 : 0, { service, reporter: choice.name });
    const { state } = this;
    if (this.#report?.failed === false && state.kind === 'pending' && state.error !== undefined) {
      this.#report.failed = true;
      this.#options.onReported(false);
    }
    for (const listener of [...this.#listeners]) listener();
  }

  #unmeasure({ choice }: Member): void {
    // One of the same name may have taken its place.
    if (this.#members.some((one) => one.choice.name === choice.name && one.choice !== choice)) return;
    this.#options.registered.remove({ service: this.#options.service, reporter: choice.name });
  }
}

/** Present if all are; whatever is wrong with one of them shows. */
function combined(states: readonly (PlainState & { readonly reporter: string })[]): PlainState {
  const pending = states.filter((state) => state.kind === 'pending');
  const failed = pending.find(({ error }) => error !== undefined);
  const present = states.filter((state) => state.kind === 'present');
  if (present.length === states.length && present.length > 0) {
    const since = Math.max(...present.map((state) => state.since));
    return { kind: 'present', place: present.map(({ place }) => place).join(', '), since };
  }
  if (pending.length === 0 && present.length === 0) return { kind: 'absent' };
  const since = Math.min(...[...pending, ...present].map((state) => state.since));
  return {
    kind: 'pending',
    since,
    ...(failed?.error === undefined ? {} : { error: `${failed.reporter}: ${failed.error}` }),
  };
}

/** Resolves as soon as the registry can be reached; rejects when `signal` aborts. */
async function reached(reporter: Reporter, signal: AbortSignal): Promise<void> {
  let forget = (): void => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      forget = reporter.onChange(() => {
        if (!reporter.unreachable) resolve();
      });
      if (!reporter.unreachable) resolve();
    });
  } finally {
    forget();
  }
}
