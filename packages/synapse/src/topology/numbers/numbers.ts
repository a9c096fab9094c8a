import { type Clock, type Logger, type Secret, SecretFile, type Task, untilAborted } from '@smartstack/agent';
import type { NumbersSettings } from '../../config/topology.js';
import { membership } from '../../networks.js';
import type { HostNode } from '../mesh/node.js';
import type { HostNumbers } from './answer.js';
import { askNumbers, type Heard } from './asker.js';
import { FanOut, type Known } from './fanOut.js';
import { NumbersServer } from './server.js';
import { parseTarget, targetText } from './target.js';

/** A key is made by a program: 32 characters are 128 bits at least. */
const kind = { name: 'key', minLength: 32 };

/** What live numbers stand on. */
export interface NumbersOptions {
  readonly settings: NumbersSettings;
  /** Those of this host. */
  readonly numbers: () => HostNumbers;
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
  #told: string | undefined;

  constructor(options: NumbersOptions) {
    const { settings, numbers, clock, logger } = options;
    const { listen, keyFile, networks } = settings;
    this.#options = options;
    this.#file = new SecretFile(keyFile, kind, clock);
    this.#isNear = membership(networks);
    this.#server =
      listen &&
      new NumbersServer({
        ...{ listen, numbers, clock, logger, mayAsk: this.#isNear },
        key: () => this.#key(),
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

  readonly run: Task = async (signal) => {
    if (this.#server !== undefined) await this.#server.run(signal);
    await untilAborted(signal);
  };

  /** What these hosts tell of their numbers, by instance_id; waits three seconds at most. Never rejects. */
  async of(hosts: readonly HostNode[], signal: AbortSignal): Promise<ReadonlyMap<string, HostReport>> {
    const key = await this.#key();
    if ('problem' in key) {
      const problem = `our key file cannot be used: ${key.problem}`;
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
    const target = parseTarget(address);
    const key = await this.#key();
    if ('problem' in key) throw new Error(key.problem);
    if (target === undefined) throw new Error('it has no address');
    return askNumbers(target, key.secret, { clock: this.#options.clock, signal });
  }

  async #key(): Promise<Secret> {
    const key = await this.#file.read();
    const problem = 'problem' in key ? key.problem : undefined;
    if (problem !== undefined && problem !== this.#told)
      this.#options.logger.warn('the key file cannot be used', {
        ...{ file: this.#options.settings.keyFile, problem },
      });
    this.#told = problem;
    return key;
  }
}
