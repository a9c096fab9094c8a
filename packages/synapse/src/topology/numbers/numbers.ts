import {
  type Clock,
  type Logger,
  SecretFile,
  type Secrets,
  type Task,
  untilAborted,
} from '@smartstack/agent';
import type { NumbersSettings } from '../../config/topology.js';
import { membership } from '../../networks.js';
import type { HostNode } from '../mesh/node.js';
import type { HostNumbers } from './answer.js';
import { AskError, askNumbers, type Heard } from './asker.js';
import { FanOut, type Known } from './fanOut.js';
import type { NumbersMetrics } from './metrics.js';
import { NumbersServer } from './server.js';
import { parseTarget, targetText } from './target.js';

/** A key is made by a program: 32 characters are 128 bits at least. */
const kind = { name: 'key', minLength: 32 };

/** What live numbers stand on. */
export interface NumbersOptions {
  readonly settings: NumbersSettings;
  /** Those of this host. */
  readonly numbers: () => HostNumbers;
  readonly metrics: NumbersMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is known of the numbers of a host. */
export type HostReport = Known;

/** Tells the numbers of this host to others, and asks them for theirs; both as far as the operator wants that. */
export class Numbers {
  readonly #options: NumbersOptions;
  readonly #file: SecretFile;
  readonly #isNear: (address: string) => boolean;
  readonly #server: NumbersServer | undefined;
  readonly #fanOut: FanOut;
  /** Of the key file: why it cannot be used, and what is wrong all the same. */
  #problem: string | undefined;
  #isOpen = false;

  constructor(options: NumbersOptions) {
    const { settings, numbers, metrics, clock, logger } = options;
    const { listen, keyFile, networks } = settings;
    this.#options = options;
    this.#file = new SecretFile(keyFile, kind, clock);
    this.#isNear = membership(networks);
    this.#server =
      listen &&
      new NumbersServer({
        ...{ listen, numbers, clock, logger, mayAsk: this.#isNear },
        keys: () => this.#keys(),
        onAnswer: (result) => metrics.answered(result),
      });
    this.#fanOut = new FanOut({ ask: (address, signal) => this.#ask(address, signal), clock });
  }

  /** Where this host can be asked; undefined where it cannot. */
  get target(): string | undefined {
    return this.#server?.target;
  }

  /** Resolves when it is known whether this host can be asked. */
  get settled(): Promise<void> {
    return this.#server?.settled ?? Promise.resolve();
  }

  /** What an operator should know, by what was found last. */
  get problems(): readonly string[] {
    const { keyFile } = this.#options.settings;
    const unserved = this.#server?.problem;
    return [
      ...(this.#problem === undefined ? [] : [`${keyFile} cannot be used: ${this.#problem}`]),
      ...(this.#isOpen ? [`${keyFile} is open to all users of this host`] : []),
      ...(unserved === undefined ? [] : [`other hosts cannot ask here: ${unserved}`]),
    ];
  }

  readonly run: Task = async (signal) => {
    // What is wrong with the file is told before somebody needs it.
    await this.#keys();
    if (this.#server !== undefined) await this.#server.run(signal);
    await untilAborted(signal);
  };

  /** What these hosts tell of their numbers, by instance_id; waits three seconds at most. Never rejects. */
  async of(hosts: readonly HostNode[], signal: AbortSignal): Promise<ReadonlyMap<string, HostReport>> {
    const keys = await this.#keys();
    if ('problem' in keys) {
      const problem = `our key file cannot be used: ${keys.problem}`;
      return new Map(hosts.map(({ instanceId }) => [instanceId, { problem }]));
    }
    const addresses = new Map<string, string>();
    const reports = new Map<string, HostReport>();
    for (const { instanceId, api } of hosts) {
      const place = this.#placeOf(api);
      if ('problem' in place) reports.set(instanceId, place);
      else addresses.set(instanceId, place.address);
    }
    const known = await this.#fanOut.current(new Set(addresses.values()), signal);
    for (const [instanceId, address] of addresses) {
      const report = known.get(address) ?? { problem: 'it was not asked' };
      const { numbers } = report;
      // Whoever writes our znodes may say that a host is somewhere else, where another one answers as it is.
      const isIt = numbers === undefined || numbers.instanceId === instanceId;
      reports.set(instanceId, isIt ? report : { problem: `there answers ${numbers.instanceId}` });
    }
    return reports;
  }

  /** Where a host can be asked by its node, which anybody may have written: never a name, nor whatever is not of ours. */
  #placeOf(api: string | undefined): { readonly address: string } | { readonly problem: string } {
    if (api === undefined) return { problem: 'it offers none' };
    const target = parseTarget(api);
    if (target === undefined) return { problem: 'its node has no address' };
    if (!this.#isNear(target.host)) return { problem: `${target.host} is in no network of ours` };
    return { address: targetText(target) };
  }

  async #ask(address: string, signal: AbortSignal): Promise<Heard> {
    const { metrics, clock } = this.#options;
    const target = parseTarget(address);
    const keys = await this.#keys();
    if ('problem' in keys) throw new Error(keys.problem);
    if (target === undefined) throw new Error('it has no address');
    try {
      const heard = await askNumbers(target, keys.secrets[0], { clock, signal });
      metrics.asked('answered');
      return heard;
    } catch (error) {
      if (error instanceof AskError && !signal.aborted) metrics.asked(error.result);
      throw error;
    }
  }

  async #keys(): Promise<Secrets> {
    const { settings, logger } = this.#options;
    const { keyFile: file } = settings;
    const keys = await this.#file.readAll();
    const problem = 'problem' in keys ? keys.problem : undefined;
    const isOpen = 'isOpenToOthers' in keys && keys.isOpenToOthers;
    if (problem !== undefined && problem !== this.#problem)
      logger.warn('the key file cannot be used', { file, problem });
    if (isOpen && !this.#isOpen) logger.warn('the key file is open to all users of this host', { file });
    this.#problem = problem;
    this.#isOpen = isOpen;
    return keys;
  }
}
