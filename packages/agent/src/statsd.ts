import { isDeepStrictEqual } from 'node:util';
import type { Clock } from './clock.js';
import { describeError } from './errors.js';
import { CachedLookup } from './cachedLookup.js';
import type { Logger } from './logger.js';

/** Where a DogStatsD agent listens, as both Ruby agents' `statsd` key has it. */
export interface StatsdSettings {
  readonly host: string;
  readonly port: number;
  /** Share of a metric that is sent, by its name: 0 to 1, 1 where there is none. */
  readonly sampleRates?: Readonly<Record<string, number>>;
}

/** `key:value`, or only `key`. */
export type StatsdTags = readonly string[];

/** Sends metrics to DogStatsD over UDP: never waits, never fails. */
export interface Statsd {
  increment(name: string, tags?: StatsdTags): void;
  gauge(name: string, value: number, tags?: StatsdTags): void;
  /** How long something took, in milliseconds. */
  timing(name: string, ms: number, tags?: StatsdTags): void;
}

/** The part of hot-shots that is used. */
interface Client {
  increment(name: string, value: number, sampleRate: number, tags: string[]): void;
  gauge(name: string, value: number, sampleRate: number, tags: string[]): void;
  timing(name: string, ms: number, sampleRate: number, tags: string[]): void;
  close(callback: () => void): void;
}

interface Message {
  readonly name: string;
  readonly write: (client: Client, rate: number) => void;
}

/** Less than what fits into one packet of an Ethernet. */
const maxPacketBytes = 1_432;
const flushMs = 1_000;
/** Until the library is loaded, which takes some milliseconds. */
const maxWaiting = 10_000;
/** How long the last packet may take on its way out, in milliseconds. */
const closeMs = 500;

export interface StatsdDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Sends to wherever `configure` says; nowhere until then. */
export class StatsdSender implements Statsd {
  readonly #deps: StatsdDeps;
  #settings: StatsdSettings | undefined;
  #target: Target | undefined;

  constructor(deps: StatsdDeps) {
    this.#deps = deps;
  }

  /** Sends there from now on; undefined: nowhere. The same settings again change nothing. */
  configure(settings: StatsdSettings | undefined): void {
    if (isDeepStrictEqual(settings, this.#settings)) return;
    this.#settings = settings;
    this.#target?.close().catch(() => undefined);
    this.#target = settings && new Target(settings, this.#deps);
  }

  /** Whether anything is sent anywhere. */
  get isConfigured(): boolean {
    return this.#settings !== undefined;
  }

  increment(name: string, tags: StatsdTags = []): void {
    this.#target?.send({ name, write: (client, rate) => client.increment(name, 1, rate, [...tags]) });
  }

  gauge(name: string, value: number, tags: StatsdTags = []): void {
    this.#target?.send({ name, write: (client, rate) => client.gauge(name, value, rate, [...tags]) });
  }

  timing(name: string, ms: number, tags: StatsdTags = []): void {
    const whole = Math.round(ms);
    this.#target?.send({ name, write: (client, rate) => client.timing(name, whole, rate, [...tags]) });
  }

  /** Sends what was not sent yet, in half a second at most. */
  async close(): Promise<void> {
    const target = this.#target;
    this.#target = undefined;
    this.#settings = undefined;
    await target?.close();
  }
}

/** One address, for as long as it is configured. */
class Target {
  readonly #settings: StatsdSettings;
  readonly #deps: StatsdDeps;
  readonly #opened: Promise<void>;
  #client: Client | undefined;
  #waiting: Message[] = [];
  #complained = false;

  constructor(settings: StatsdSettings, deps: StatsdDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#opened = this.#open().catch((error: unknown) => this.#complain(error));
  }

  send(message: Message): void {
    const rate = this.#settings.sampleRates?.[message.name] ?? 1;
    // The library takes a rate of 0 for none.
    if (rate <= 0) return;
    if (this.#client === undefined) {
      if (this.#waiting.length < maxWaiting) this.#waiting.push(message);
      return;
    }
    try {
      message.write(this.#client, rate);
    } catch (error) {
      this.#complain(error);
    }
  }

  async close(): Promise<void> {
    await this.#opened;
    const client = this.#client;
    if (client === undefined) return;
    await new Promise<void>((resolve) => {
      const timer = this.#deps.clock.setTimeout(resolve, closeMs);
      client.close(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  async #open(): Promise<void> {
    // Whoever sends no such metrics does not load it.
    const { StatsD } = await import('hot-shots');
    const { host, port } = this.#settings;
    const names = new CachedLookup(this.#deps.clock);
    this.#client = new StatsD({
      host,
      port,
      maxBufferSize: maxPacketBytes,
      bufferFlushInterval: flushMs,
      // Ruby's agents add nothing of their own either.
      includeDatadogTelemetry: false,
      includeDataDogTags: false,
      originDetection: false,
      udpSocketOptions: {
        type: host.includes(':') ? 'udp6' : 'udp4',
        lookup: (name, options, callback) => names.lookup(name, options, callback),
      },
      errorHandler: (error: Error) => this.#complain(error),
    });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const message of waiting) this.send(message);
  }

  /** Once: metrics that do not arrive are nothing to fill a log with. */
  #complain(error: unknown): void {
    if (this.#complained) return;
    this.#complained = true;
    const { host, port } = this.#settings;
    this.#deps.logger.warn('cannot send to statsd', { host, port, error: describeError(error) });
  }
}
