import { chmod, lstat, readdir, readFile, stat, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AgentError,
  type Clock,
  describeError,
  makeDirectory,
  followJumps,
  type Logger,
  writeFileAtomic,
  type Timer,
} from '@smartstack/agent';
import {
  decodeRegistrationFile,
  isFresh,
  type RegistrationFile,
  registrationFileName,
} from '@smartstack/registry';

/** How often to look for what an agent of ours that died has left, in milliseconds. */
const sweepMs = 30_000;
/** No write takes so long, in milliseconds: a temporary file that is older was left by a process that was killed. */
const abandonedMs = 60_000;
const maxBytes = 1024 * 1024;

/** A file as it was found. */
export interface FoundFile {
  readonly data: Buffer;
  /** Undefined when it holds no registration. */
  readonly content: RegistrationFile | undefined;
  /** Wall clock milliseconds. */
  readonly modifiedMs: number;
}

export interface FolderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Tells this run of the agent from any other. */
  readonly owner: string;
}

/** One folder of registrations, shared by all reporters of the agent that write there. */
export class Folder {
  readonly path: string;
  readonly #options: FolderOptions;
  /** Names of files that reporters answer for, each with its instance_id. */
  readonly #claims = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();
  #timer: Timer | undefined;
  #users = 0;
  readonly #listeners = new Set<() => void>();
  #stopFollowing = (): void => undefined;

  constructor(path: string, options: FolderOptions) {
    this.path = path;
    this.#options = options;
  }

  get owner(): string {
    return this.#options.owner;
  }

  acquire(): void {
    this.#users += 1;
    if (this.#users > 1) return;
    this.#plan(0);
    this.#stopFollowing = followJumps(this.#options.clock, (byMs) => {
      this.#options.logger.info('the clock was set, registrations are renewed', { path: this.path, byMs });
      for (const listener of [...this.#listeners]) listener();
    });
  }

  /** Calls `listener` when the times of all files are wrong: the clock was set. Returns how to stop that. */
  onJump(listener: () => void): () => void {
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** True when that was the last user. */
  release(): boolean {
    this.#users -= 1;
    if (this.#users > 0) return false;
    this.#timer?.cancel();
    this.#stopFollowing();
    return true;
  }

  claim(name: string, instanceId: string): void {
    this.#claims.set(name, instanceId);
  }

  /** Whether a reporter answers for a file of this name. */
  has(name: string): boolean {
    return this.#claims.has(name);
  }

  unclaim(name: string): void {
    this.#claims.delete(name);
  }

  /** One after the other: a file system that hangs must not take all threads that the process has for files and names. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Undefined when there is none. Rejects with AgentError for what is no plain file: nothing good put it there. */
  async read(name: string): Promise<FoundFile | undefined> {
    const path = join(this.path, name);
    try {
      const found = await lstat(path);
      if (!found.isFile()) throw new AgentError('file', `${path} is no plain file`, { retriable: true });
      const data = found.size > maxBytes ? Buffer.alloc(0) : await readFile(path);
      return { data, content: decode(data), modifiedMs: found.mtimeMs };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async write(name: string, data: Buffer): Promise<void> {
    // Others read it, whatever the umask of a unit that keeps secrets.
    const made = await makeDirectory(this.path);
    if (made !== undefined) await chmod(this.path, 0o755);
    await writeFileAtomic(join(this.path, name), data);
  }

  /** Says that the file still counts. */
  async renew(name: string): Promise<void> {
    const seconds = this.#options.clock.now() / 1000;
    await utimes(join(this.path, name), seconds, seconds);
  }

  async remove(name: string): Promise<void> {
    await unlink(join(this.path, name)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }

  #plan(delayMs: number): void {
    const next = (): void => {
      if (this.#users > 0) this.#plan(sweepMs);
    };
    this.#timer = this.#options.clock.setTimeout(() => {
      this.exclusive(() => this.#sweep()).then(next, (error: unknown) => {
        // Whoever writes there says so.
        this.#options.logger.debug('could not sweep a folder', {
          path: this.path,
          error: describeError(error),
        });
        next();
      });
    }, delayMs);
  }

  /** Removes what an earlier run of ours left of services that it does not have any more, once it has run out. */
  async #sweep(): Promise<void> {
    const endings = [...new Set(this.#claims.values())].map((id) => registrationFileName('', id));
    for (const name of await readdir(this.path)) {
      const [, target = name] = /^\.(.+)\.[0-9a-f-]{36}\.tmp$/.exec(name) ?? [];
      // A folder that many machines share is mostly theirs.
      if (!endings.some((ending) => target.endsWith(ending))) continue;
      if (target !== name) await this.#sweepTemporary(name);
      else if (!this.#claims.has(name)) await this.#sweepFile(name);
    }
  }

  async #sweepFile(name: string): Promise<void> {
    const found = await this.read(name).catch(() => undefined);
    if (found?.content === undefined) return;
    const { service, instance } = found.content;
    // Whatever says something else than its name is not our making.
    if (registrationFileName(service, instance.name ?? '') !== name) return;
    if (isFresh(found.content, found.modifiedMs, this.#options.clock.now())) return;
    // It may have been claimed while we looked.
    if (this.#claims.has(name)) return;
    await this.remove(name);
    this.#options.logger.info('removed a registration that an earlier run left', {
      file: join(this.path, name),
    });
  }

  async #sweepTemporary(name: string): Promise<void> {
    const found = await lstat(join(this.path, name)).catch(() => undefined);
    if (found && this.#options.clock.now() - found.mtimeMs > abandonedMs) await this.remove(name);
  }
}

function decode(data: Buffer): RegistrationFile | undefined {
  try {
    return decodeRegistrationFile(data);
  } catch {
    return undefined;
  }
}

/** The folders that the agent writes to, by path. */
export class Folders {
  readonly #options: FolderOptions;
  readonly #folders = new Map<string, Folder>();

  constructor(options: FolderOptions) {
    this.#options = options;
  }

  acquire(path: string): Folder {
    const folder = this.#folders.get(path) ?? new Folder(path, this.#options);
    this.#folders.set(path, folder);
    folder.acquire();
    return folder;
  }

  /** Whether a reporter has a file of this name in the same folder under another path (`/var/run` is `/run`). */
  async isShared(folder: Folder, name: string): Promise<boolean> {
    const others = [...this.#folders.values()].filter((other) => other !== folder && other.has(name));
    if (others.length === 0) return false;
    const identity = async ({ path }: Folder): Promise<string | undefined> => {
      const found = await stat(path, { bigint: true }).catch(() => undefined);
      return found && `${found.dev} ${found.ino}`;
    };
    const ours = await identity(folder);
    const found = await Promise.all(others.map(identity));
    return ours !== undefined && found.includes(ours);
  }

  release(folder: Folder): void {
    if (folder.release()) this.#folders.delete(folder.path);
  }
}
