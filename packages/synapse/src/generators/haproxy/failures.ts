import type { AppliedCommand } from './runtime/apply.js';
import { serverKey } from './runtime/apply.js';
import type { ReloadReason } from './types.js';

/** A command that fails twice on a fresh observation will not succeed by itself: the file is the other way. */
const failuresBeforeReload = 2;
/** How long a server may be out of rotation because connections to its predecessor last; a reload ends that. */
const replacementMs = 10_000;

/** What did not succeed on servers, pass after pass, and since when. */
export class Failures {
  readonly #counts = new Map<string, number>();
  /** Since when servers wait to come back: the monotonic clock in milliseconds. */
  readonly #waiting = new Map<string, number>();

  /** How many servers had a command that failed in the last pass. */
  get size(): number {
    return this.#counts.size;
  }

  /** Takes what a pass applied; returns what only a reload can do. */
  note(applied: readonly AppliedCommand[], now: number): readonly ReloadReason[] {
    const waiting = applied.filter(
      ({ command, outcome }) => command.kind === 'add-server' && outcome.result === 'lingering',
    );
    keepOnly(this.#waiting, waiting);
    for (const { command } of waiting) {
      const key = serverKey(command);
      this.#waiting.set(key, this.#waiting.get(key) ?? now);
    }
    const failed = applied.filter(({ outcome }) => outcome.result === 'failed');
    keepOnly(this.#counts, failed);
    for (const key of new Set(failed.map(({ command }) => serverKey(command)))) {
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
    const hopeless = [
      ...failed.filter(({ command }) => (this.#counts.get(serverKey(command)) ?? 0) >= failuresBeforeReload),
      ...waiting.filter(
        ({ command }) => now - (this.#waiting.get(serverKey(command)) ?? now) >= replacementMs,
      ),
    ];
    return hopeless.map(({ command, outcome }) => ({
      kind: 'runtime-failed',
      detail: `${serverKey(command)}: ${outcome.detail}`,
    }));
  }

  clear(): void {
    this.#counts.clear();
    this.#waiting.clear();
  }
}

function keepOnly(of: Map<string, number>, applied: readonly AppliedCommand[]): void {
  const keys = new Set(applied.map(({ command }) => serverKey(command)));
  for (const key of of.keys()) if (!keys.has(key)) of.delete(key);
}
