import { unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, makeDirectory, writeFileAtomic } from '@smartstack/agent';
import { Checker, type CheckerOptions } from './checker.js';
import { CheckRecord } from './checkRecord.js';
import { FileHash, hashOf, hashOfParts } from './fileHash.js';
import type { WrittenConfig } from '../loaded/beliefs.js';
import { isSameState } from '../desired/sameState.js';
import type { ConfigMessage } from './configMessages.js';
import { Quarantine, type SharedLines } from './quarantineStore.js';
import { render, renderBytes } from '../desired/render.js';
import type { DesiredState } from '../types.js';
import type { Kept, KeepOptions } from './keeping.js';
import { copyLastGood } from './lastGood.js';
import { tryOut } from './tryOut.js';
import { holdNamed, settle, type Verdict } from './validate.js';

/** Where the configuration goes. */
export interface ConfigKeeperOptions extends CheckerOptions {
  readonly clock: Clock;
  readonly configPath: string;
  readonly candidatePath: string;
  /** False: nothing is written, and everything counts as accepted (`do_writes: false`). */
  readonly doWrites: boolean;
  /** Version of the executable that checks; undefined while it does not tell. */
  readonly executable: () => Promise<string | undefined>;
  /** How often addresses that were taken are tried again, in milliseconds. */
  readonly retryAddressesMs: number;
  /** What an earlier run of synapse wrote. */
  readonly written: WrittenConfig | undefined;
  /** Called after each write, before anybody waits for it. Rejections are those of `keep`. */
  readonly onWritten: (written: WrittenConfig) => Promise<void>;
}

/**
 * Keeps haproxy.cfg in step: has candidates checked, holds back what HAProxy rejects, replaces the file
 * atomically and only when it differs. One candidate at a time; the caller decides whether to wait.
 */
export class ConfigKeeper {
  readonly quarantine = new Quarantine();
  readonly #options: ConfigKeeperOptions;
  readonly #disk: FileHash;
  readonly #checker: Checker;
  readonly #record: CheckRecord;
  #written: WrittenConfig | undefined;
  #fileBytes = 0;
  #messages: readonly ConfigMessage[] = [];
  #unchecked: string | undefined;
  #rejected: { readonly hash: string; readonly isLimit: boolean } | undefined;
  /** Hash of a text on which HAProxy did not start. */
  #unstartable: string | undefined;
  /** Of one on which it did: what a check has to say of it, warnings, is not known yet. */
  #unheard: string | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #addressesTriedAt = -Infinity;

  constructor(options: ConfigKeeperOptions) {
    this.#options = options;
    this.#disk = new FileHash(options.configPath);
    this.#checker = new Checker(options);
    const { clock, executable, written } = options;
    this.#record = new CheckRecord({ clock, executable, isOwed: written?.unchecked === true });
    this.#written = written;
  }

  get written(): WrittenConfig | undefined {
    return this.#written;
  }

  /** Of the last check: errors of what is held back, and warnings. */
  get messages(): readonly ConfigMessage[] {
    return this.#messages;
  }

  /** Why candidates are not checked; undefined when they are. */
  get unchecked(): string | undefined {
    return this.#unchecked;
  }

  /** File descriptors that the last candidate needs at least, and how many there may be, as far as it is known. */
  get descriptors(): { readonly needed: number; readonly limit: number | undefined } | undefined {
    return this.#checker.descriptors;
  }

  /** Size of what was written last, in bytes; 0 before that. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  /** Milliseconds until lines of servers in the file are to be checked that never were; undefined when all were. */
  get checkDueInMs(): number | undefined {
    return this.#record.dueInMs;
  }

  /** Hash of the file on disk; undefined when there is none. */
  diskHash(): Promise<string | undefined> {
    return this.#disk.read();
  }

  /**
   * Brings the file to `desired`, or to the part of it that HAProxy accepts. Throws AgentError when the file
   * cannot be written or no verdict is to be had; the old file then stays.
   */
  keep(desired: DesiredState, shared: SharedLines, options: KeepOptions = {}): Promise<Kept> {
    const next = this.#turn.then(() => this.#keep(desired, shared, options));
    this.#turn = next.catch(() => undefined);
    return next;
  }

  /** Gives addresses that were taken another chance, now and then. */
  retryAddresses(): void {
    const { clock, retryAddressesMs } = this.#options;
    const now = clock.monotonic();
    if (now - this.#addressesTriedAt < retryAddressesMs) return;
    this.#addressesTriedAt = now;
    this.quarantine.retryAddresses();
  }

  /** Holds back whom the messages of an HAProxy that could not load `accepted` blame; false when they name nobody new. */
  reject(
    messages: readonly ConfigMessage[],
    accepted: DesiredState,
    desired: DesiredState,
    shared: SharedLines,
  ): boolean {
    const input = { desired, lastGood: this.#written?.desired, shared, quarantine: this.quarantine };
    const isHeld = holdNamed(messages, render(accepted), accepted, input);
    if (isHeld) this.#addressesTriedAt = this.#options.clock.monotonic();
    this.#options.metrics.quarantined(this.quarantine.entries.length);
    return isHeld;
  }

  /**
   * For an HAProxy that does not run: puts `desired` on disk unchecked and calls `load`, whose success says more than
   * a check; that comes with the next `keep`. Where `load` returns false, what was there is put back. False then, and where this is no way to go: nobody may write, the operator's command is to judge, or this
   * text did not start before. Throws what `load` throws, and AgentError when the file cannot be written.
   */
  tryOut(
    desired: DesiredState,
    shared: SharedLines,
    load: (candidate: DesiredState) => Promise<boolean>,
  ): Promise<boolean> {
    const tried = this.#turn.then(() => this.#tryOut(desired, shared, load));
    this.#turn = tried.catch(() => undefined);
    return tried;
  }

  async #tryOut(
    desired: DesiredState,
    shared: SharedLines,
    load: (candidate: DesiredState) => Promise<boolean>,
  ): Promise<boolean> {
    const { configPath, doWrites, validator } = this.#options;
    if (!doWrites || validator.isOperators) return false;
    const candidate = this.quarantine.clear(desired, this.#written?.desired, shared);
    const text = render(candidate);
    const hash = hashOf(text);
    // What is known to be good needs no trial, and what is known to be bad gets none.
    if ([this.#written?.sha256, this.#rejected?.hash, this.#unstartable].includes(hash)) return false;
    const isGood = await tryOut(configPath, text, () => load(candidate));
    this.#unstartable = isGood ? undefined : hash;
    this.#unheard = isGood ? hash : undefined;
    if (isGood) {
      await this.#record.passed(candidate);
      await this.#noteWritten(candidate, hash);
    }
    return isGood;
  }

  async #keep(desired: DesiredState, shared: SharedLines, options: KeepOptions): Promise<Kept> {
    options.signal?.throwIfAborted();
    if (!this.#options.doWrites) return { accepted: desired, current: true };
    const written = this.#written;
    const lastGood = this.#record.fallback ?? written?.desired;
    const next = (): DesiredState =>
      options.isStandIn === true
        ? this.quarantine.without(desired, lastGood, shared)
        : this.quarantine.clear(desired, lastGood, shared);
    const candidate = next();
    const isSame = isSameState(written?.desired, candidate);
    const hash = written !== undefined && isSame ? written.sha256 : hashOfParts(renderBytes(candidate));
    const isThere = written?.sha256 === hash && (await this.diskHash()) === hash;
    if (isThere && (options.mayWait === true || this.checkDueInMs === undefined)) {
      if (this.#unheard === hash) {
        this.#unheard = undefined;
        this.#messages = (await this.#checker.check(render(candidate), candidate, options)).messages;
      }
      if (isSame) return { accepted: written.desired, current: true };
      // The same text: what is known of it is to be the values that the next pass compares.
      await this.#note({ ...written, desired: candidate });
      return { accepted: candidate, current: true };
    }
    if (options.mayWait === true && (await this.#mayWait(candidate, options))) {
      this.#record.postponed();
      await this.#write(candidate, hash, true);
      return { accepted: candidate, current: true };
    }
    // What was rejected as a whole stays rejected until it changes.
    const isKnown = this.#rejected?.hash === hash;
    if (
      isKnown &&
      !(this.#rejected?.isLimit && (await this.#checker.tooMany(candidate, options)) === undefined)
    ) {
      return { accepted: written?.desired, current: false };
    }
    const { quarantine } = this;
    const check = (each: string, state: DesiredState): Promise<Verdict> =>
      this.#checker.check(each, state, options);
    const settled = await settle({
      ...{ desired, lastGood, shared, quarantine, check },
      candidate: next,
    });
    this.#messages = settled.messages;
    this.#unchecked = settled.unchecked;
    this.#options.metrics.quarantined(quarantine.entries.length);
    // Not by what is held now: a pass may be giving it another chance just then.
    if (settled.accepted === desired) this.#checker.forgetTold();
    if (settled.accepted === undefined) {
      const isLimit = settled.messages.some((message) => message.isLimit);
      const { logger, configPath } = this.#options;
      // Each server that comes or goes makes it another candidate, and no other problem.
      logger[isLimit && this.#rejected?.isLimit ? 'debug' : 'error'](
        'haproxy rejects the configuration; the old file stays',
        {
          file: configPath,
          messages: settled.messages.map(({ text: message }) => message),
        },
      );
      this.#rejected = { hash, isLimit };
      await this.#checkFile(isThere, options);
      return { accepted: this.#written?.desired, current: false };
    }
    this.#rejected = undefined;
    const { accepted } = settled;
    await this.#record.passed(settled.unchecked === undefined ? accepted : undefined);
    const settledHash = accepted === candidate ? hash : hashOfParts(renderBytes(accepted));
    if (isThere && settledHash === hash) {
      await this.#note({ desired: accepted, sha256: hash, at: written.at });
    } else await this.#write(accepted, settledHash);
    return { accepted, current: true };
  }

  /** Whether the check of a state whose servers run may come later. */
  async #mayWait(candidate: DesiredState, options: KeepOptions): Promise<boolean> {
    if (this.#rejected !== undefined || this.#options.validator.isOperators) return false;
    if (!(await this.#record.vouchesFor(candidate))) return false;
    return (await this.#checker.tooMany(candidate, options)) === undefined;
  }

  /**
   * Something was rejected. The file, where that was to be checked yet, must not be what HAProxy would not load either:
   * it becomes what was checked last, unless it is good. `isIt`: it is what was rejected.
   */
  async #checkFile(isIt: boolean, options: KeepOptions): Promise<void> {
    const { fallback } = this.#record;
    const written = this.#written;
    if (written?.unchecked !== true) return;
    const { desired, sha256, at } = written;
    if (!isIt && (await this.#checker.check(render(desired), desired, options)).valid) {
      await this.#record.passed(desired);
      await this.#note({ desired, sha256, at });
      return;
    }
    if (fallback !== undefined) await this.#write(fallback, hashOfParts(renderBytes(fallback)));
    this.#record.returned();
  }

  async #write(desired: DesiredState, sha256: string, isUnchecked = false): Promise<void> {
    const { configPath, candidatePath, logger } = this.#options;
    await makeDirectory(dirname(configPath)).catch(() => undefined);
    const parts = renderBytes(desired);
    await writeFileAtomic(configPath, parts);
    this.#fileBytes = parts.reduce((sum, { length }) => sum + length, 0);
    await unlink(candidatePath).catch(() => undefined);
    logger.debug('haproxy.cfg written', { file: configPath, bytes: this.#fileBytes, isUnchecked });
    await this.#noteWritten(desired, sha256, isUnchecked);
  }

  #noteWritten(desired: DesiredState, sha256: string, isUnchecked = false): Promise<void> {
    const at = this.#options.clock.now();
    return this.#note({ desired, sha256, at, ...(isUnchecked && { unchecked: true }) });
  }

  async #note(written: WrittenConfig): Promise<void> {
    this.#written = written;
    await this.#options.onWritten(written);
  }

  /** Keeps a copy of the file that HAProxy has just loaded, for the operator. */
  async keepLastGood(): Promise<void> {
    const { configPath, doWrites, logger } = this.#options;
    if (doWrites) await copyLastGood(configPath, logger);
  }
}
