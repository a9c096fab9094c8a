import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';

/**
 * How many names are asked for at once. The system's resolver blocks a thread for each, of the four
 * that files need as well.
 */
const lanes = 2;

/** How many answers are remembered; more names than that come and go, they are not in use. */
const maxKnown = 1_000;

type Addresses = readonly LookupAddress[];
type Resolve = (name: string) => Promise<Addresses>;

const loopback: Addresses = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/**
 * Resolves the names that checks test. Asks again for every probe, but does not wait for what it asks
 * when an answer is known: a resolver that hangs must not take healthy services away.
 */
export class Names {
  readonly #resolve: Resolve;
  readonly #known = new Map<string, Addresses>();
  readonly #asked = new Map<string, Promise<Addresses>>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(resolve: Resolve = (name) => systemLookup(name, { all: true })) {
    this.#resolve = resolve;
  }

  /** What sockets take as their `lookup`. */
  readonly lookup: LookupFunction = (name, options, callback) => {
    this.#addresses(name).then(
      (all) => {
        const wanted = all.filter(({ family }) => !options.family || family === options.family);
        const [first] = wanted;
        if (first === undefined) callback(new Error(`${name} has no such address`), '');
        else if (options.all) callback(null, [...wanted]);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(error as NodeJS.ErrnoException, ''),
    );
  };

  #addresses(name: string): Promise<Addresses> {
    if (name === 'localhost') return Promise.resolve(loopback);
    const asked = this.#asked.get(name) ?? this.#ask(name);
    const known = this.#known.get(name);
    return known === undefined ? asked : Promise.resolve(known);
  }

  #ask(name: string): Promise<Addresses> {
    const asked = this.#inLane(name);
    this.#asked.set(name, asked);
    asked.then(
      (addresses) => this.#remember(name, addresses),
      (error: unknown) => this.#failed(name, error),
    );
    return asked;
  }

  async #inLane(name: string): Promise<Addresses> {
    if (this.#busy >= lanes) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#busy += 1;
    try {
      return await this.#resolve(name);
    } finally {
      // The lane is handed over, so that nobody overtakes the one who waited longest.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy -= 1;
    }
  }

  #remember(name: string, addresses: Addresses): void {
    this.#asked.delete(name);
    this.#known.delete(name);
    this.#known.set(name, addresses);
    if (this.#known.size > maxKnown) this.#known.delete([...this.#known.keys()][0] ?? '');
  }

  #failed(name: string, error: unknown): void {
    this.#asked.delete(name);
    // Anything but "there is no such name" is the resolver's trouble, not the name's.
    if ((error as NodeJS.ErrnoException).code === 'ENOTFOUND') this.#known.delete(name);
  }
}

/** The one that all checks share. */
export const names = new Names();
