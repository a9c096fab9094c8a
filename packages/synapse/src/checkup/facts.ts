import { AgentError, type Clock, describeError } from '@smartstack/agent';
import { ApiError } from '@smartstack/agent/apiClient';

import type { Loaded } from '../allFiles.js';
import { defaultAgentSettings } from '../config/agentFile.js';
import type { AgentSettings } from '../config/agentFile.js';
import { type Configuration, expandCopies } from '../config/load.js';
import type { GeneratorTable } from '../generators/types.js';
import type { Discovery } from '../watchers/index.js';
import {
  type EnsembleReading,
  type PathReading,
  readRegistry,
  type ReadRegistryOptions,
  type RegistryReading,
} from './znodes.js';

/** Nothing can be told of a point, because something else is missing. */
export class NotKnown extends AgentError {
  constructor(why: string) {
    super('not_known', why);
  }
}

/** What a round of points stands on. */
export interface FactsOptions {
  readonly load: () => Promise<Loaded>;
  readonly generators: GeneratorTable;
  readonly openSession: ReadRegistryOptions['openSession'];
  /** Asks the running agent. Rejects with ApiError. */
  readonly call: (path: string) => Promise<unknown>;
  readonly clock: Clock;
  /** A znode may be created and deleted. */
  readonly mayWrite: boolean;
}

/** What is known in one round: each thing is asked for once, and only when a point needs it. */
export class Facts {
  readonly #options: FactsOptions;
  readonly #known = new Map<string, Promise<unknown>>();
  readonly #closers: (() => Promise<void>)[] = [];

  constructor(options: FactsOptions) {
    this.#options = options;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get generators(): GeneratorTable {
    return this.#options.generators;
  }

  get mayWrite(): boolean {
    return this.#options.mayWrite;
  }

  loaded(): Promise<Loaded> {
    return this.#once('loaded', () => this.#options.load());
  }

  /** Throws NotKnown where the files have such errors that there is none. */
  async configuration(): Promise<{
    readonly configuration: Configuration<Discovery>;
    readonly settings: AgentSettings;
  }> {
    const { configuration, settings = defaultAgentSettings } = await this.loaded();
    if (configuration === undefined) throw new NotKnown('the configuration cannot be read');
    return { configuration, settings };
  }

  /** What ZooKeeper holds. Throws NotKnown where no service is discovered there. */
  async registry(): Promise<RegistryReading> {
    const { configuration, settings } = await this.configuration();
    const reading = await this.#once('registry', async () => {
      const { openSession, clock } = this.#options;
      const services = expandCopies(configuration.services);
      const found = await readRegistry({ services, settings, openSession, clock });
      this.#closers.push(found.close);
      return found.reading;
    });
    if (reading.paths.length === 0) throw new NotKnown('no service is discovered in ZooKeeper');
    return reading;
  }

  /** What `probe` comes to for one ensemble; it writes, and does so once. */
  probe<T>(
    ensemble: EnsembleReading,
    paths: readonly PathReading[],
    probe: (ensemble: EnsembleReading, paths: readonly PathReading[], clock: Clock) => Promise<T>,
  ): Promise<T> {
    return this.#once(`probe ${ensemble.hosts.join()}`, () => probe(ensemble, paths, this.clock));
  }

  /** An answer of the running agent, whatever it is. Rejects with ApiError. */
  call(path: string): Promise<unknown> {
    return this.#once(path, () => this.#options.call(path));
  }

  /** The same, read by `read`. Throws NotKnown where the agent does not answer. */
  async ask<T>(path: string, read: (value: unknown) => T): Promise<T> {
    try {
      return read(await this.call(path));
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'unreachable') throw error;
      throw new NotKnown('the agent does not answer');
    }
  }

  /** The same to be asked once more; it ends with this one. */
  anew(): Facts {
    const facts = new Facts(this.#options);
    this.#closers.push(() => facts.close());
    return facts;
  }

  /** Ends what was begun. Never rejects. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#known.values()]);
    for (const close of this.#closers) await close().catch(describeError);
  }

  #once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const known = this.#known.get(name) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const made = make();
    // Whoever asked for it hears of a failure.
    made.catch(() => undefined);
    this.#known.set(name, made);
    return made;
  }
}
