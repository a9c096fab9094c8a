const n = 624;
const m = 397;

/** MT19937, the generator behind Ruby's `Random`. Words are unsigned 32-bit integers. */
class MersenneTwister {
  readonly #state = new Uint32Array(n);
  #index = n;

  /** A key of one word seeds directly, a longer one by array, as Ruby 3 does. */
  constructor(key: readonly number[]) {
    if (key.length <= 1) this.#seed(key[0] ?? 0);
    else this.#seedByArray(key);
  }

  #at(index: number): number {
    return this.#state[index] ?? 0;
  }

  #seed(word: number): void {
    this.#state[0] = word;
    for (let i = 1; i < n; i += 1) {
      const previous = this.#at(i - 1);
      this.#state[i] = Math.imul(1_812_433_253, previous ^ (previous >>> 30)) + i;
    }
  }

  #seedByArray(key: readonly number[]): void {
    this.#seed(19_650_218);
    let i = 1;
    let j = 0;
    const mix = (factor: number): number => {
      const previous = this.#at(i - 1);
      return this.#at(i) ^ Math.imul(previous ^ (previous >>> 30), factor);
    };
    const advance = (): void => {
      i += 1;
      if (i < n) return;
      this.#state[0] = this.#at(n - 1);
      i = 1;
    };
    for (let k = Math.max(n, key.length); k > 0; k -= 1) {
      this.#state[i] = mix(1_664_525) + (key[j] ?? 0) + j;
      advance();
      j = (j + 1) % key.length;
    }
    for (let k = n - 1; k > 0; k -= 1) {
      this.#state[i] = mix(1_566_083_941) - i;
      advance();
    }
    this.#state[0] = 0x8000_0000;
  }

  #refill(): void {
    for (let i = 0; i < n; i += 1) {
      const bits = (this.#at(i) & 0x8000_0000) | (this.#at((i + 1) % n) & 0x7fff_ffff);
      this.#state[i] = this.#at((i + m) % n) ^ (bits >>> 1) ^ (bits & 1 ? 0x9908_b0df : 0);
    }
    this.#index = 0;
  }

  next(): number {
    if (this.#index >= n) this.#refill();
    let word = this.#at(this.#index);
    this.#index += 1;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c_5680;
    word ^= (word << 15) & 0xefc6_0000;
    return (word ^ (word >>> 18)) >>> 0;
  }
}

/** The words that a seed leads to, each drawn once: an agent shuffles every list anew from one and the same seed. */
class Words {
  readonly #random: MersenneTwister;
  readonly #drawn: number[] = [];

  constructor(readonly seed: bigint) {
    this.#random = new MersenneTwister(keyOf(seed));
  }

  at(index: number): number {
    while (this.#drawn.length <= index) this.#drawn.push(this.#random.next());
    return this.#drawn[index] ?? 0;
  }
}

/** The 32-bit words of a seed's absolute value, least significant first, as Ruby hands them to the generator. */
function keyOf(seed: bigint): readonly number[] {
  const words: number[] = [];
  for (let rest = seed < 0n ? -seed : seed; rest > 0n; rest >>= 32n) {
    words.push(Number(rest & 0xffff_ffffn));
  }
  // Ruby takes a leading 1 for the guard that it puts before leading zeros, and drops it.
  if (words.length > 1 && words.at(-1) === 1) words.pop();
  return words;
}

/** Of the seed that was asked for last. */
let drawn: Words | undefined;

/** Ruby's `items.shuffle(random: Random.new(seed))`, byte for byte. */
export function rubyShuffle<T>(items: readonly T[], seed: bigint): readonly T[] {
  if (drawn?.seed !== seed) drawn = new Words(seed);
  const words = drawn;
  let next = 0;
  /** Uniform in 0 to `limit` (below 2^32), by rejection under the smallest mask of ones, as Ruby draws it. */
  const upTo = (limit: number): number => {
    if (limit === 0) return 0;
    const mask = 0xffff_ffff >>> Math.clz32(limit);
    for (;;) {
      const value = (words.at(next) & mask) >>> 0;
      next += 1;
      if (value <= limit) return value;
    }
  };
  const result = [...items];
  for (let remaining = result.length; remaining > 1; remaining -= 1) {
    const chosen = upTo(remaining - 1);
    const last = remaining - 1;
    [result[last], result[chosen]] = [result[chosen] as T, result[last] as T];
  }
  return result;
}
