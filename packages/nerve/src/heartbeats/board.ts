import type { Clock } from '@smartstack/agent';

/** How an application says that it is. `warn` counts as passing. */
type HeartbeatStatus = 'pass' | 'warn' | 'fail';

/** The longest note that is kept, in characters. */
const maxNote = 200;

/** What an application pushes. */
export interface Heartbeat {
  readonly status: HeartbeatStatus;
  /** Why, for people. */
  readonly note?: string | undefined;
}

/** The last heartbeat of a check. */
export interface Beat {
  readonly status: HeartbeatStatus;
  /** On one line, without control characters; empty when there is none. */
  readonly note: string;
  /** When it came, on the clock's monotonic scale, in milliseconds. */
  readonly at: number;
}

/** What checks see of the board. */
export interface Heartbeats {
  /** The last heartbeat for a check of a service; undefined when none has come. */
  last(service: string, check: string): Beat | undefined;
}

/** What became of a heartbeat: the checks that it is for, or whom nobody knows. */
export type Taken =
  | { readonly kind: 'taken'; readonly checks: readonly string[] }
  | { readonly kind: 'unknown service' }
  | { readonly kind: 'unknown check'; readonly checks: readonly string[] };

/**
 * The heartbeats that applications push, in memory. It holds only what `keep` named last, so that it
 * stays as small as the configuration is.
 */
export class HeartbeatBoard implements Heartbeats {
  readonly #clock: Clock;
  #beats: ReadonlyMap<string, Map<string, Beat | undefined>> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Says which checks wait for heartbeats, by service. What came for those that stay is kept. */
  keep(waiting: Iterable<readonly [service: string, checks: readonly string[]]>): void {
    const before = this.#beats;
    const kept = [...waiting]
      .filter(([, checks]) => checks.length > 0)
      .map(([service, checks]) => {
        const beats = checks.map((check) => [check, before.get(service)?.get(check)] as const);
        return [service, new Map(beats)] as const;
      });
    this.#beats = new Map(kept);
  }

  /** The checks that wait for heartbeats, by service. */
  get waiting(): ReadonlyMap<string, readonly string[]> {
    return new Map([...this.#beats].map(([service, beats]) => [service, [...beats.keys()]]));
  }

  /** Takes a heartbeat for one check, or for all that the service has. */
  beat(service: string, check: string | undefined, { status, note = '' }: Heartbeat): Taken {
    const beats = this.#beats.get(service);
    if (beats === undefined) return { kind: 'unknown service' };
    if (check !== undefined && !beats.has(check)) return { kind: 'unknown check', checks: [...beats.keys()] };
    const checks = check === undefined ? [...beats.keys()] : [check];
    const beat: Beat = { status, note: oneLine(note.slice(0, maxNote)), at: this.#clock.monotonic() };
    for (const name of checks) beats.set(name, beat);
    return { kind: 'taken', checks };
  }

  last(service: string, check: string): Beat | undefined {
    return this.#beats.get(service)?.get(check);
  }
}

/** What others wrote is not trusted with the terminal. */
function oneLine(text: string): string {
  return text.trim().replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
}
