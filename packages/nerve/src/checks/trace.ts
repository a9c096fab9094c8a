import type { Clock } from '@smartstack/agent';
import type { CheckResult } from '../health/health.js';
import { oneLine } from './oneLine.js';

/** More steps, and longer texts, than any check has; a module may tell more, which is left out. */
const maxSteps = 50;
const maxText = 200;
const maxNotes = 10;

/**
 * Where a check tells what it is doing, for `nerve probe`. It only listens: a check does the same with
 * it and without. Never told: passwords, headers, bodies.
 */
export interface Trace {
  /** Begins a step; the one before it has succeeded. `detail`: what with. */
  step(name: string, detail?: string): void;
  /** Says what came of the step that was begun last. */
  note(text: string): void;
}

/** For a module, which need not ask whether anybody listens. */
export const silent: Trace = { step: () => undefined, note: () => undefined };

/** One step of a probe. Times are milliseconds. */
export interface Step {
  readonly step: string;
  readonly ok: boolean;
  /** What with, and what came of it. */
  readonly detail: string;
  /** When it began, after the beginning of the probe. */
  readonly atMs: number;
  readonly tookMs: number;
  /** Why it failed. */
  readonly reason?: string;
}

interface Open {
  readonly step: string;
  readonly detail: string[];
  readonly atMs: number;
}

function text(value: unknown): string {
  return oneLine(String(value).slice(0, maxText));
}

/** Records the steps of one probe. */
export class TraceRecorder implements Trace {
  readonly #clock: Clock;
  readonly #begun: number;
  readonly #steps: Step[] = [];
  #open: Open | undefined;
  #finished = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#begun = clock.monotonic();
  }

  step(name: string, detail = ''): void {
    if (this.#finished) return;
    // Of too many, the last one is kept: it may be the one that fails.
    if (this.#steps.length + 1 < maxSteps) this.#close();
    this.#open = { step: text(name), detail: [], atMs: this.#elapsed() };
    if (detail !== '') this.note(detail);
  }

  note(said: string): void {
    const detail = this.#open?.detail ?? [];
    if (!this.#finished && detail.length < maxNotes) detail.push(text(said));
  }

  /** The steps of a probe that ended so: what it failed in is the one that was under way. */
  finish(result: CheckResult): readonly Step[] {
    if (this.#steps.length === 0 && this.#open === undefined) {
      this.#open = { step: 'probe', detail: [], atMs: 0 };
    }
    this.#close(result.ok ? undefined : result.reason);
    // A probe that was given up may still go on.
    this.#finished = true;
    return this.#steps;
  }

  #close(reason?: string): void {
    if (this.#open === undefined) return;
    const { step, detail, atMs } = this.#open;
    const tookMs = this.#elapsed() - atMs;
    const outcome = reason === undefined ? { ok: true } : { ok: false, reason };
    this.#steps.push({ step, ...outcome, detail: detail.join(', '), atMs, tookMs });
    this.#open = undefined;
  }

  #elapsed(): number {
    return this.#clock.monotonic() - this.#begun;
  }
}

/** The same trace for a check that knows a password: whatever is told, the password is not in it. */
export function withoutSecret(trace: Trace | undefined, clean: (text: string) => string): Trace | undefined {
  if (trace === undefined) return undefined;
  return {
    step: (name, detail) => trace.step(name, detail === undefined ? undefined : clean(detail)),
    note: (said) => trace.note(clean(said)),
  };
}
