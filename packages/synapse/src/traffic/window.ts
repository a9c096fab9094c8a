import { latencyBuckets } from './latency.js';
import type { Gain } from './types.js';

/** Counts of a slot, as they are kept: numbers below 2^32 for 10 s, but for bytes. */
const small = [
  'requests',
  'success',
  'failure',
  'aborted',
  'retries',
  'redispatches',
  'connectErrors',
  'responseErrors',
  'clientAborts',
] as const;
const [openAt, lastingAt, latenciesAt] = [small.length, small.length + 1, small.length + 2];
const smallWidth = latenciesAt + latencyBuckets;
const largeWidth = 2;

/** What was counted in some slots together. */
export interface Sums extends Gain {
  /** Responses by latency. */
  readonly latencies: readonly number[];
  /** Under way at the end of the last slot in which anything was noted; 0 without any. */
  readonly open: number;
  /** Mean duration in milliseconds, by those that began in each slot; undefined without any. */
  readonly meanDurationMs: number | undefined;
}

/** What is noted at one look. */
export interface Note {
  readonly gain?: Gain | undefined;
  readonly latencies?: readonly number[] | undefined;
  readonly open?: number | undefined;
  /** HAProxy's average, in milliseconds. */
  readonly meanDurationMs?: number | undefined;
}

/** Slots that are allocated together: a series that is idle for as long takes no memory. */
const chunkSlots = 12;

interface Chunk {
  readonly small: Uint32Array;
  readonly large: Float64Array;
}

/** Durations in milliseconds, and how much may be kept. */
export interface WindowOptions {
  readonly slotMs: number;
  readonly spanMs: number;
  /** Of 12 slots of one series each, about 1.6 KB. Beyond it the window begins later for all. */
  readonly maxChunks: number;
}

/**
 * What happened lately to each of many series, in slots of time. Takes memory only for what was busy, and never more
 * than a given amount: then the oldest goes first. Times are monotonic milliseconds.
 */
export class TrafficWindow {
  readonly #options: WindowOptions;
  /** By the time of their first slot, then by series; oldest first. */
  readonly #periods = new Map<number, Map<string, Chunk>>();
  #chunks = 0;
  #droppedUntilMs = -Infinity;

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  get slotMs(): number {
    return this.#options.slotMs;
  }

  /** Chunks that are kept now. */
  get chunks(): number {
    return this.#chunks;
  }

  /** Notes what was counted of a series until `atMs`. Times never go back. */
  note(series: string, atMs: number, { gain, latencies, open, meanDurationMs }: Note): void {
    const slot = this.#slotOf(atMs);
    const chunk = this.#chunkFor(series, slot);
    const at = (slot % chunkSlots) * smallWidth;
    const add = (index: number, by: number): void => {
      chunk.small[at + index] = Math.min(0xffffffff, (chunk.small[at + index] ?? 0) + by);
    };
    if (gain !== undefined) {
      small.forEach((name, index) => add(index, gain[name]));
      const large = (slot % chunkSlots) * largeWidth;
      chunk.large[large] = (chunk.large[large] ?? 0) + gain.bytesIn;
      chunk.large[large + 1] = (chunk.large[large + 1] ?? 0) + gain.bytesOut;
    }
    // One more than it is: 0 says that nobody looked.
    if (open !== undefined) chunk.small[at + openAt] = open + 1;
    if (meanDurationMs !== undefined) chunk.small[at + lastingAt] = Math.round(meanDurationMs);
    latencies?.forEach((count, bucket) => add(latenciesAt + bucket, count));
  }

  /** What happened from `fromMs` until `toMs`, to the bounds of slots. */
  sum(series: string, fromMs: number, toMs: number): Sums {
    const total = new Adder();
    for (const { chunk, place } of this.#slots(series, fromMs, toMs)) total.add(chunk, place);
    return total.sums();
  }

  /** The same slot by slot, oldest first, those without anything included; `atMs` is where one begins. */
  slots(
    series: string,
    fromMs: number,
    toMs: number,
  ): readonly { readonly atMs: number; readonly sums: Sums }[] {
    const { slotMs } = this.#options;
    const busy = new Map<number, Sums>();
    for (const { slot, chunk, place } of this.#slots(series, fromMs, toMs)) {
      const adder = new Adder();
      adder.add(chunk, place);
      busy.set(slot, adder.sums());
    }
    const [first, last] = this.#range(fromMs, toMs);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => ({
      atMs: (first + index) * slotMs,
      sums: busy.get(first + index) ?? nothing,
    }));
  }

  /** Where the slots begin and end that overlap a span, in milliseconds. */
  bounds(fromMs: number, toMs: number): readonly [beginMs: number, endMs: number] {
    const [first, last] = this.#range(fromMs, toMs);
    return [first * this.#options.slotMs, (last + 1) * this.#options.slotMs];
  }

  /** What was before this is forgotten, for lack of room or because it is too old. */
  get droppedUntilMs(): number {
    return this.#droppedUntilMs;
  }

  /** A series that left. */
  forget(series: string): void {
    for (const chunks of this.#periods.values()) if (chunks.delete(series)) this.#chunks -= 1;
  }

  #slotOf(ms: number): number {
    return Math.floor(ms / this.#options.slotMs);
  }

  /** The slots that overlap a span by more than their very begin. */
  #range(fromMs: number, toMs: number): readonly [first: number, last: number] {
    const { slotMs, spanMs } = this.#options;
    return [this.#slotOf(Math.max(fromMs, toMs - spanMs)), Math.ceil(toMs / slotMs) - 1];
  }

  *#slots(
    series: string,
    fromMs: number,
    toMs: number,
  ): Iterable<{ readonly slot: number; readonly chunk: Chunk; readonly place: number }> {
    const [first, last] = this.#range(fromMs, toMs);
    for (const [period, chunks] of this.#periods) {
      const chunk = chunks.get(series);
      if (chunk === undefined) continue;
      for (let place = 0; place < chunkSlots; place += 1) {
        const slot = period * chunkSlots + place;
        if (slot >= first && slot <= last) yield { slot, chunk, place };
      }
    }
  }

  #chunkFor(series: string, slot: number): Chunk {
    const period = Math.floor(slot / chunkSlots);
    let chunks = this.#periods.get(period);
    if (chunks === undefined) {
      chunks = new Map();
      this.#periods.set(period, chunks);
      this.#dropOld(period);
    }
    const known = chunks.get(series);
    if (known !== undefined) return known;
    const chunk = {
      small: new Uint32Array(chunkSlots * smallWidth),
      large: new Float64Array(chunkSlots * largeWidth),
    };
    chunks.set(series, chunk);
    this.#chunks += 1;
    this.#dropOld(period);
    return chunk;
  }

  /** The period of now stays, whatever it takes: how many series there are is for whoever notes them. */
  #dropOld(now: number): void {
    const { slotMs, spanMs, maxChunks } = this.#options;
    for (const [period, chunks] of this.#periods) {
      const isOver = (now - period - 1) * chunkSlots * slotMs >= spanMs;
      if (period === now || (!isOver && this.#chunks <= maxChunks)) return;
      this.#periods.delete(period);
      this.#chunks -= chunks.size;
      this.#droppedUntilMs = (period + 1) * chunkSlots * slotMs;
    }
  }
}

class Adder {
  readonly #small = new Array<number>(smallWidth).fill(0);
  #bytesIn = 0;
  #bytesOut = 0;
  #open = 0;
  #lasting = 0;
  #lastingOf = 0;

  add(chunk: Chunk, place: number): void {
    const at = place * smallWidth;
    for (let index = 0; index < smallWidth; index += 1)
      this.#small[index] = (this.#small[index] ?? 0) + (chunk.small[at + index] ?? 0);
    this.#bytesIn += chunk.large[place * largeWidth] ?? 0;
    this.#bytesOut += chunk.large[place * largeWidth + 1] ?? 0;
    const open = chunk.small[at + openAt] ?? 0;
    if (open > 0) this.#open = open - 1;
    const began = chunk.small[at] ?? 0;
    this.#lasting += began * (chunk.small[at + lastingAt] ?? 0);
    this.#lastingOf += began;
  }

  sums(): Sums {
    const counts = Object.fromEntries(small.map((name, index) => [name, this.#small[index] ?? 0])) as Record<
      (typeof small)[number],
      number
    >;
    return {
      ...counts,
      ...{ bytesIn: this.#bytesIn, bytesOut: this.#bytesOut, open: this.#open },
      latencies: this.#small.slice(latenciesAt),
      meanDurationMs: this.#lastingOf > 0 ? this.#lasting / this.#lastingOf : undefined,
    };
  }
}

const nothing: Sums = new Adder().sums();
