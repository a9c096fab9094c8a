import type { Clock } from '@smartstack/agent';
import type { Culprit } from './blame.js';
import type { Section } from './desired.js';

/** What was rejected is tried again after so long although it did not change, in milliseconds. */
const retryMs = 60_000;

interface Held {
  readonly culprit: Culprit;
  /** Its lines: others are another matter. */
  readonly text: string;
  readonly until: number;
}

/** What nginx rejects, and what stands in its place meanwhile. */
export class Quarantine {
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get entries(): readonly Culprit[] {
    return [...this.#held.values()].map(({ culprit }) => culprit);
  }

  /** Holds back a part of `sections`, which are those that were rejected. */
  hold(culprit: Culprit, sections: readonly Section[]): void {
    const section = sections.find(({ service }) => service === culprit.service);
    if (section === undefined) return;
    const text = textOf(section, culprit.instance);
    this.#held.set(keyOf(culprit), { culprit, text, until: this.#clock.monotonic() + retryMs });
  }

  /** `sections` without what is held back: a service has its `old` lines instead, where there are any. */
  apply(sections: readonly Section[], old: ReadonlyMap<string, Section>): readonly Section[] {
    this.#forget(sections);
    return sections.flatMap((section) => {
      const lines = section.lines.filter(
        ({ instance }) =>
          instance === undefined || !this.#held.has(keyOf({ service: section.service, instance })),
      );
      if (!this.#held.has(section.service))
        return lines.length === section.lines.length ? [section] : [{ ...section, lines }];
      const before = old.get(section.service);
      return before === undefined || textOf(before) === this.#held.get(section.service)?.text ? [] : [before];
    });
  }

  /** What changed, left or had its time gets another chance. */
  #forget(sections: readonly Section[]): void {
    const now = this.#clock.monotonic();
    for (const [key, { culprit, text, until }] of this.#held) {
      const section = sections.find(({ service }) => service === culprit.service);
      const isSame = section !== undefined && textOf(section, culprit.instance) === text;
      if (!isSame || now >= until) this.#held.delete(key);
    }
  }
}

function keyOf({ service, instance }: { readonly service: string; readonly instance?: string }): string {
  return instance === undefined ? service : `${service}\n${instance}`;
}

function textOf({ lines }: Section, instance?: string): string {
  const those = instance === undefined ? lines : lines.filter((line) => line.instance === instance);
  return those.map(({ text }) => text).join('\n');
}
