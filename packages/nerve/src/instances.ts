import { type Clock, describeError, Refusal, within } from '@smartstack/agent';
import { type InstanceList, instanceList, type SessionPool } from '@smartstack/registry';
import { isDeepStrictEqual } from 'node:util';
import type { ServiceDefinition } from './config/service.js';
import { kindOf, type ReporterChoice } from './reporters/index.js';
import type { Found } from './reporters/reporter.js';

/** What was read counts for so long, in milliseconds. */
const freshMs = 1_000;
/** A registry that takes longer is not waited for, in milliseconds. */
const patienceMs = 3_000;

interface Entry {
  readonly choice: ReporterChoice;
  /** Under way; never two at once. */
  reading: Promise<Found> | undefined;
  last: { readonly found: Found; readonly at: number } | undefined;
}

/** Reads who offers a service, where its own registration stands. */
export class InstanceReader {
  readonly #sessions: SessionPool;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(sessions: SessionPool, clock: Clock) {
    this.#sessions = sessions;
    this.#clock = clock;
  }

  /** Forgets what was read of services that are not there any more. */
  keep(services: ReadonlySet<string>): void {
    for (const name of this.#entries.keys()) if (!services.has(name)) this.#entries.delete(name);
  }

  /**
   * The instances of a service, at most a second old; what was read last, as stale, when its registry does not
   * answer. Rejects with a Refusal: 501 when there is no way to read its registry, 503 when it was never read.
   */
  async read({ name, reporters }: ServiceDefinition): Promise<InstanceList> {
    const choice = reporters.find((one) => kindOf(one).list !== undefined);
    if (choice === undefined) {
      const types = [...new Set(reporters.map(({ type }) => type))].join(', ');
      throw new Refusal(501, `${name} is registered with ${types}, which nerve does not read`);
    }
    const entry = this.#entryFor(name, choice);
    const now = this.#clock.monotonic();
    if (entry.last && now - entry.last.at < freshMs) {
      return instanceList({ service: name, source: 'live', ...entry.last.found });
    }
    try {
      const found = await this.#readWithin(name, entry);
      return instanceList({ service: name, source: 'live', ...found });
    } catch (error) {
      if (entry.last) return instanceList({ service: name, source: 'stale', ...entry.last.found });
      throw new Refusal(503, `the registry of ${name} cannot be read: ${describeError(error)}`);
    }
  }

  #entryFor(name: string, choice: ReporterChoice): Entry {
    const known = this.#entries.get(name);
    if (known && isDeepStrictEqual(known.choice, choice)) return known;
    const entry = { choice, reading: undefined, last: undefined };
    this.#entries.set(name, entry);
    return entry;
  }

  async #readWithin(service: string, entry: Entry): Promise<Found> {
    const { choice } = entry;
    const stop = new AbortController();
    const context = {
      clock: this.#clock,
      sessions: this.#sessions,
      service,
      signal: stop.signal,
      timeoutMs: patienceMs,
    };
    entry.reading ??= (async () => {
      try {
        const found = await kindOf(choice).list?.(choice.settings, context);
        if (found === undefined) throw new Error('nothing was read');
        entry.last = { found, at: this.#clock.monotonic() };
        return found;
      } finally {
        entry.reading = undefined;
      }
    })();
    const found = await within(entry.reading, patienceMs, this.#clock);
    if (found !== undefined) return found;
    stop.abort(new Error('it does not answer'));
    throw new Error('it does not answer');
  }
}
