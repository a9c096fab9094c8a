import { readdir, readFile, stat } from 'node:fs/promises';
import type { Clock } from '@smartstack/agent';
import { runCommand } from '@smartstack/agent/command';
import type { UserNames } from './callers.js';
import { unitOf } from './units.js';

/** A name is asked for again after so long, in milliseconds. */
const freshMs = 300_000;
/** Users that are remembered, and processes that are looked at. */
const [maxUsers, maxProcesses] = [500, 10_000];
/** Looked at in one go: between two of them others have their turn. */
const stride = 64;
const getentMs = 2_000;

/** Where users are looked up; another place in tests. */
export interface UserSources {
  readonly clock: Clock;
  readonly proc?: string;
  readonly passwd?: string;
}

interface Known {
  readonly names: UserNames;
  readonly at: number;
}

/** Names of this host's users, and the systemd services that run as them. Looks at processes only for whom it does not know. */
export class Users {
  readonly #sources: Required<UserSources>;
  readonly #known = new Map<number, Known>();

  constructor(sources: UserSources) {
    this.#sources = { proc: '/proc', passwd: '/etc/passwd', ...sources };
  }

  /** What is known of each. Never rejects but for `signal`: whoever cannot be found has a number for a name. */
  async names(uids: ReadonlySet<number>, signal: AbortSignal): Promise<ReadonlyMap<number, UserNames>> {
    const now = this.#sources.clock.monotonic();
    const isFresh = (uid: number): boolean => now - (this.#known.get(uid)?.at ?? -Infinity) < freshMs;
    const asked = new Set([...uids].filter((uid) => !isFresh(uid)).slice(0, maxUsers));
    if (asked.size > 0) await this.#look(asked, now, signal);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= maxUsers) break;
      this.#known.delete(oldest);
    }
    return new Map(
      [...uids].flatMap((uid): [number, UserNames][] => {
        const known = this.#known.get(uid);
        return known === undefined ? [] : [[uid, known.names]];
      }),
    );
  }

  async #look(uids: ReadonlySet<number>, at: number, signal: AbortSignal): Promise<void> {
    const local = await this.#local();
    const units = await this.#units(uids, signal);
    for (const uid of uids) {
      const user = local.get(uid) ?? (await this.#elsewhere(uid, signal)) ?? `uid:${uid}`;
      const unit = units.get(uid);
      this.#known.delete(uid);
      this.#known.set(uid, { names: { user, ...(unit !== undefined && { unit }) }, at });
    }
  }

  async #local(): Promise<ReadonlyMap<number, string>> {
    const text = await readFile(this.#sources.passwd, 'utf8').catch(() => '');
    const entries = text.split('\n').flatMap((line): [number, string][] => {
      const [name = '', , uid = ''] = line.split(':');
      return name !== '' && /^\d{1,10}$/.test(uid) ? [[Number(uid), name]] : [];
    });
    // The first of those that share a number, as the C library has it.
    return new Map(entries.reverse());
  }

  /** Users of a directory, and systemd's own. */
  async #elsewhere(uid: number, signal: AbortSignal): Promise<string | undefined> {
    const { clock } = this.#sources;
    const options = { clock, timeoutMs: getentMs, signal };
    const { exitCode, output } = await runCommand('getent', ['passwd', String(uid)], options);
    const [name = '', , found] = (output.split('\n')[0] ?? '').split(':');
    return exitCode === 0 && name !== '' && Number(found) === uid ? name : undefined;
  }

  /** One walk over the processes for all that are asked for. Where systemd hides processes of others, there is nothing to see. */
  async #units(uids: ReadonlySet<number>, signal: AbortSignal): Promise<ReadonlyMap<number, string>> {
    const { proc } = this.#sources;
    const groups = new Map<number, string[]>();
    const entries = await readdir(proc).catch(() => []);
    const pids = entries.filter((entry) => /^\d+$/.test(entry));
    if (pids.length > maxProcesses) return new Map();
    for (let at = 0; at < pids.length; at += stride) {
      signal.throwIfAborted();
      const looks = pids.slice(at, at + stride).map(async (pid) => {
        try {
          const { uid } = await stat(`${proc}/${pid}`);
          if (!uids.has(uid)) return;
          const cgroup = await readFile(`${proc}/${pid}/cgroup`, 'utf8');
          groups.set(uid, [...(groups.get(uid) ?? []), cgroup]);
        } catch {
          // It ended.
        }
      });
      await Promise.all(looks);
    }
    return new Map(
      [...groups].flatMap(([uid, all]): [number, string][] => {
        const unit = unitOf(all);
        return unit === undefined ? [] : [[uid, unit]];
      }),
    );
  }
}
