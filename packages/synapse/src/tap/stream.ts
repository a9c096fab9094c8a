import type { AdminSink, Clock, Timer } from '@smartstack/agent';
import { filterOf, type TapFilter } from './filter.js';
import { nextPermille, RateLimit } from './sampling.js';
import type { TapCounts, TapEvent, TapRequest, TapServices } from './shapes.js';
import type { Tap, TapListener, TapSource } from './types.js';

/** What a reader asks for. */
export interface TapQuery {
  /** Those that can be tapped. */
  readonly services: readonly string[];
  /** Those that cannot. */
  readonly notTapped: Extract<TapEvent, { type: 'start' }>['notTapped'];
  readonly filter: TapFilter;
  /** Requests a second at most. */
  readonly maxRps: number;
  /** How many of a thousand requests at most. */
  readonly permille: number;
  /** Ends after so many. */
  readonly limit: number | undefined;
  readonly durationMs: number;
}

/** What it works with. */
export interface TapStreamContext {
  readonly clock: Clock;
  readonly source: TapSource;
  readonly random: () => number;
}

type EndReason = Extract<TapEvent, { type: 'end' }>['reason'];

const tickMs = 1_000;
/** Without anything to tell it is told that all is as before, in ticks. */
const aliveTicks = 10;
/** A reader who took nothing for so long is taken for dead. */
const standstillMs = 30_000;

/** Sends one reader what he asked for. What he does not take is dropped and counted: nothing waits for him. */
export class TapStream implements TapListener {
  readonly #query: TapQuery;
  readonly #context: TapStreamContext;
  readonly #sink: AdminSink;
  readonly #fits: (request: TapRequest) => boolean;
  readonly #rate: RateLimit;
  readonly #dropped = { rate: 0, reader: 0, haproxy: 0 };
  #tap: Tap | undefined;
  #seen = 0;
  #sent = 0;
  #matched = 0;
  #linesBefore = 0;
  #pending: string[] = [];
  #blockedAt: number | undefined;
  #state: { readonly attached: boolean; readonly reason?: string } = { attached: false };
  #told = '';
  #silentTicks = 0;
  #timer: Timer | undefined;
  #finish: (reason: EndReason) => void = () => undefined;

  constructor(query: TapQuery, sink: AdminSink, context: TapStreamContext) {
    this.#query = query;
    this.#context = context;
    this.#sink = sink;
    this.#fits = filterOf(query.filter);
    this.#rate = new RateLimit(query.maxRps, context.clock.monotonic());
  }

  /** Runs until the reader leaves, or has all that he asked for. Never throws. */
  async run(): Promise<void> {
    const { clock, source } = this.#context;
    const { services, notTapped, permille, durationMs } = this.#query;
    const { signal } = this.#sink;
    if (signal.aborted) return;
    this.#sink.onDrain(() => (this.#blockedAt = undefined));
    this.#write({ type: 'start', services, notTapped });
    this.turn();
    const ended = new Promise<EndReason>((resolve) => {
      this.#finish = resolve;
      signal.addEventListener('abort', () => resolve('stopped'), { once: true });
    });
    const deadline = clock.setTimeout(() => this.#finish('duration'), durationMs);
    this.#tap = source.open(services, permille, this);
    this.#timer = clock.setTimeout(() => this.#tick(), tickMs);
    const reason = await ended;
    deadline.cancel();
    this.#timer.cancel();
    const counts = this.#counts();
    this.#tap.close();
    this.#write({ type: 'end', reason, ...counts });
    this.turn();
  }

  request(request: TapRequest): void {
    const { limit, permille } = this.#query;
    if (this.#tap === undefined || this.#sink.signal.aborted || this.#sent === limit) return;
    // Another tap may want more of them.
    if (permille < this.#tap.permille && this.#context.random() >= permille / this.#tap.permille) return;
    if (!this.#fits(request)) return;
    this.#seen += 1;
    if (request.method !== null) this.#matched += 1;
    const { clock, source } = this.#context;
    if (this.#blockedAt !== undefined) {
      this.#dropped.reader += 1;
      source.dropped('reader', 1);
    } else if (!this.#rate.take(clock.monotonic())) {
      this.#dropped.rate += 1;
      source.dropped('rate', 1);
    } else {
      this.#sent += 1;
      this.#pending.push(JSON.stringify(request));
      if (this.#sent === limit) this.#finish('limit');
    }
  }

  lost(count: number): void {
    this.#dropped.haproxy += count;
  }

  attached(attached: boolean, reason?: string): void {
    const isNews = attached !== this.#state.attached || reason !== this.#state.reason;
    this.#state = { attached, ...(reason !== undefined && { reason }) };
    if (isNews) this.#tell();
  }

  turn(): void {
    if (this.#pending.length === 0) return;
    const text = `${this.#pending.join('\n')}\n`;
    this.#pending = [];
    if (this.#sink.signal.aborted || this.#sink.write(text)) return;
    this.#blockedAt ??= this.#context.clock.monotonic();
  }

  #tick(): void {
    const { clock } = this.#context;
    const tap = this.#tap;
    if (tap === undefined) return;
    this.#timer = clock.setTimeout(() => this.#tick(), tickMs);
    const lines = tap.lines - this.#linesBefore;
    this.#linesBefore = tap.lines;
    const second = { permille: tap.permille, lines, matched: this.#matched };
    this.#matched = 0;
    tap.want(nextPermille(second, this.#query.maxRps, this.#query.permille));
    if (this.#blockedAt !== undefined && clock.monotonic() - this.#blockedAt >= standstillMs) {
      this.#finish('stopped');
      return;
    }
    this.#silentTicks += 1;
    if (this.#silentTicks >= aliveTicks || this.#told !== this.#news()) this.#tell();
  }

  #counts(): TapCounts {
    const sample = Math.min(this.#tap?.permille ?? 0, this.#query.permille);
    return {
      ...{ seen: this.#seen, sent: this.#sent, dropped: { ...this.#dropped } },
      samplePercent: sample / 10,
    };
  }

  #news(): string {
    const { sent, dropped, samplePercent } = this.#counts();
    return JSON.stringify([sent, dropped, samplePercent, this.#state]);
  }

  /** Who does not read is told when he does: the counts do not get less. */
  #tell(): void {
    if (this.#blockedAt !== undefined) return;
    this.#told = this.#news();
    this.#silentTicks = 0;
    this.#write({ type: 'status', ...this.#state, ...this.#counts() });
    this.turn();
  }

  #write(event: TapEvent): void {
    this.#pending.push(JSON.stringify(event));
  }
}

/** Splits what was asked for into services that can be tapped, and those that cannot. */
export function choose(
  known: TapServices['services'],
  wanted: readonly string[],
): Pick<TapQuery, 'services' | 'notTapped'> {
  const chosen = wanted.length === 0 ? known : known.filter(({ service }) => wanted.includes(service));
  return {
    services: chosen.filter(({ reason }) => reason === undefined).map(({ service }) => service),
    notTapped: chosen.flatMap(({ reason, ...rest }) => (reason === undefined ? [] : [{ ...rest, reason }])),
  };
}
