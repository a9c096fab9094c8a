import { resolve } from 'node:path';
import { AgentError } from '@smartstack/agent';
import { encodeRegistrationFile, type Instance, isFresh, registrationFileName } from '@smartstack/registry';
import * as z from 'zod';
import type { CamelKeys } from '../config/camel.js';
import { absolutePath, seconds, withDefault } from '../config/values.js';
import { Carrier } from './carrier.js';
import { listFiles } from './fileList.js';
import type { Folder, Folders, FoundFile } from './folder.js';
import {
  defineReporter,
  type PlainState,
  type Registrant,
  type Reporter,
  type ReporterContext,
} from './reporter.js';

const keys = {
  file_directory: absolutePath.describe(
    'The folder in which the service is registered, as a file of its own; created when first needed.',
  ),
  file_ttl: withDefault(seconds.pipe(z.number().min(1)), 30).describe(
    'Seconds for which the file counts after it was last touched; that happens three times as often.',
  ),
};

/** The keys of `reporter_type: file`, as the code sees them. */
export type FileReporterSettings = CamelKeys<z.output<z.ZodObject<typeof keys>>>;

/** Registers a service as a JSON file in a folder: of one machine, or one that several share. */
export const fileReporter = defineReporter<'file', typeof keys, FileReporterSettings>({
  type: 'file',
  options: keys,
  required: ['file_directory'],
  problems: () => Promise.resolve([]),
  place: ({ fileDirectory }) => resolve(fileDirectory),
  clash: () => false,
  create: (settings, context, registrant) => new FileReporter(settings, context, registrant),
  list: ({ fileDirectory }, { service, clock }) => listFiles(fileDirectory, service, clock.now()),
});

class FileReporter implements Reporter<FileReporterSettings> {
  readonly #folders: Folders;
  readonly #folder: Folder;
  readonly #carrier: Carrier<Instance>;
  readonly #clock: ReporterContext['clock'];
  readonly #service: string;
  readonly #stopFollowing: () => void;
  #settings: FileReporterSettings;
  #instance: Instance | undefined;
  /** The file that we answer for. */
  #name: string;
  /** What this run has written or removed: whoever has written it since is a later one. */
  readonly #settled = new Set<string>();

  constructor(settings: FileReporterSettings, context: ReporterContext, registrant: Registrant) {
    const { clock, logger, random, folders } = context;
    this.#settings = settings;
    this.#folders = folders;
    this.#clock = clock;
    this.#service = registrant.service;
    this.#folder = folders.acquire(resolve(settings.fileDirectory));
    this.#name = registrationFileName(registrant.service, registrant.instanceId);
    this.#folder.claim(this.#name, registrant.instanceId);
    this.#carrier = new Carrier({
      clock,
      logger,
      random,
      carry: (wanted, begun) =>
        this.#folder.exclusive(() => {
          begun();
          return this.#carry(wanted);
        }),
      renewMs: () => (this.#settings.fileTtl * 1000) / 3,
    });
    // Whoever compares a file's time with a clock that jumped ahead takes the file for left behind.
    this.#stopFollowing = this.#folder.onJump(() => {
      if (this.#instance !== undefined) this.#carrier.again();
    });
  }

  get state(): PlainState {
    return this.#carrier.state;
  }

  get unreachable(): boolean {
    return this.#carrier.failing;
  }

  report(instance: Instance | undefined): void {
    this.#instance = instance;
    this.#carrier.want(instance);
  }

  configure(settings: FileReporterSettings): void {
    this.#settings = settings;
    // Before the first report there may be a file of an earlier run, which must not go yet.
    if (this.#instance !== undefined) this.#carrier.want(this.#instance);
  }

  settled(signal: AbortSignal): Promise<void> {
    return this.#carrier.settled(signal);
  }

  onChange(listener: () => void): () => void {
    return this.#carrier.onChange(listener);
  }

  run(): Promise<void> {
    return Promise.resolve();
  }

  dispose(): Promise<void> {
    this.#carrier.dispose();
    this.#stopFollowing();
    this.#folder.unclaim(this.#name);
    this.#folders.release(this.#folder);
    return Promise.resolve();
  }

  async #carry(wanted: Instance | undefined): Promise<string | undefined> {
    if (wanted === undefined) {
      await this.#remove(this.#name);
      return undefined;
    }
    const name = registrationFileName(this.#service, wanted.name ?? '');
    await this.#put(name, wanted);
    if (name === this.#name) return `${this.#folder.path}/${name}`;
    // The instance got another name: what stands under the old one goes.
    const old = this.#name;
    this.#folder.claim(name, wanted.name ?? '');
    this.#name = name;
    await this.#remove(old);
    this.#folder.unclaim(old);
    return `${this.#folder.path}/${name}`;
  }

  async #put(name: string, instance: Instance): Promise<void> {
    const { owner } = this.#folder;
    const ttlSeconds = this.#settings.fileTtl;
    const data = encodeRegistrationFile({ service: this.#service, instance, ttlSeconds, owner });
    const found = await this.#folder.read(name);
    if (found?.data.equals(data)) {
      await this.#folder.renew(name);
      return;
    }
    if (found && this.#settled.has(name) && this.#isAnothers(found))
      throw new AgentError('file', 'a later nerve with the same instance_id holds it', { retriable: true });
    try {
      await this.#folder.write(name, data);
    } catch (error) {
      // What stands there goes on as it is: a disk that is full is no reason to lose a healthy service.
      if (found && tells(found, instance)) await this.#folder.renew(name).catch(() => undefined);
      throw error;
    }
    this.#settled.add(name);
  }

  /** An earlier run's file is ours to remove; a later one's is not, nor what another reporter of ours put there. */
  async #remove(name: string): Promise<void> {
    const found = await this.#folder.read(name);
    const isLaters = found && this.#settled.has(name) && this.#isAnothers(found);
    if (found && !isLaters && !(await this.#folders.isShared(this.#folder, name)))
      await this.#folder.remove(name);
    this.#settled.add(name);
  }

  #isAnothers({ content, modifiedMs }: FoundFile): boolean {
    if (content === undefined || content.owner === this.#folder.owner) return false;
    return isFresh(content, modifiedMs, this.#clock.now());
  }
}

/** Whether a file is of this instance, whatever else it says of it. */
function tells({ content }: FoundFile, { host, port }: Instance): boolean {
  return content?.instance.host === host && content.instance.port === port;
}
