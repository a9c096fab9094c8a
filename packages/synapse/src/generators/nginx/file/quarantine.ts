import type { Clock } from '@smartstack/agent';
import { fingerprint, type Section, withServersOf } from '../sections.js';

/** What was rejected is tried again after so long although it did not change, in milliseconds. */
const retryMs = 60_000;

/** A service whose lines nginx rejects. */
export interface QuarantineEntry {
  readonly service: string;
  /** nginx's own words. */
  readonly reason: string;
  /** What stands in the file: the lines that were accepted last, with the instances of now, or nothing. */
  readonly kept: 'last-good' | 'left-out';
}

interface Held extends QuarantineEntry {
  /** Of the lines: others are another matter. */
  readonly fingerprint: string;
  readonly until: number;
}

/** Services that nginx rejects, and what stands in their place meanwhile. */
export class Quarantine {
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get entries(): readonly QuarantineEntry[] {
    return [...this.#held.values()].map(({ service, reason, kept }) => ({ service, reason, kept }));
  }

  /**
   * Holds a service of `sections` back, which was rejected: at first its `old` lines stand in, and where those are
   * rejected too, nothing. False when nothing new can be held.
   */
  hold(
    { service, reason }: { readonly service: string; readonly reason: string },
    sections: readonly Section[],
    old: ReadonlyMap<string, Section>,
  ): boolean {
    const section = sections.find((each) => each.service === service);
    const before = this.#held.get(service);
    if (section === undefined || before?.kept === 'left-out') return false;
    const last = old.get(service);
    const now = fingerprint(section);
    const replaces =
      before === undefined &&
      last !== undefined &&
      fingerprint(last) !== now &&
      withServersOf(section, last) !== undefined;
    const kept = replaces ? 'last-good' : 'left-out';
    const held: Held = {
      ...{ service, kept, fingerprint: now },
      reason: before?.reason ?? reason,
      until: this.#clock.monotonic() + retryMs,
    };
    this.#held.set(service, held);
    return true;
  }

  /** Gives what changed, left or had its time another chance. */
  forget(sections: readonly Section[]): void {
    const now = this.#clock.monotonic();
    for (const [service, held] of this.#held) {
      const section = sections.find((each) => each.service === service);
      if (section === undefined || fingerprint(section) !== held.fingerprint || now >= held.until)
        this.#held.delete(service);
    }
  }

  /** `sections` without what is held back: a service has its `old` lines instead, where there are any. */
  apply(sections: readonly Section[], old: ReadonlyMap<string, Section>): readonly Section[] {
    return sections.flatMap((section) => {
      const held = this.#held.get(section.service);
      if (held === undefined) return [section];
      const last = held.kept === 'last-good' ? old.get(section.service) : undefined;
      return (last && withServersOf(section, last)) ?? [];
    });
  }
}
