import type { Clock } from '@smartstack/agent';
import { Checker, type CheckerOptions } from './checker.js';
import { CheckRecord } from './checkRecord.js';
import { ConfigFile, type ConfigFileOptions } from './configFile.js';
import { hashOf, hashOfParts } from './fileHash.js';
import type { WrittenConfig } from '../loaded/beliefs.js';
import { isSameState } from '../desired/sameState.js';
import type { ConfigMessage } from './configMessages.js';
import { Quarantine, type SharedLines } from './quarantineStore.js';
import { render, renderBytes } from '../desired/render.js';
import { Turns } from '../turns.js';
import type { DesiredState } from '../types.js';
import type { Kept, KeepOptions } from './keeping.js';
import { holdNamed, settle, type Verdict } from './validate.js';

/** Where the configuration goes. */
export interface ConfigKeeperOptions extends CheckerOptions, ConfigFileOptions {
  readonly clock: Clock;
  /** False: nothing is written, and everything counts as accepted (`do_writes: false`). */
  readonly doWrites: boolean;
  /** Version of the executable that checks; undefined while it does not tell. */
  readonly executable: () => Promise<string | undefined>;
  /** How often addresses that were taken are tried again, in milliseconds. */
  readonly retryAddressesMs: number;
  /** What an earlier run of synapse wrote. */
  readonly written: WrittenConfig | undefined;
  /** Called after each write, before anybody waits for it; without a value where the file is none of ours any more. Rejections are those of `keep`. */
  readonly onWritten: (written: WrittenConfig | undefined) => Promise<void>;
}

/**
 * Keeps haproxy.cfg in step: has candidates checked, holds back what HAProxy rejects, replaces the file
 * atomically and only when it differs. One candidate at a time; the caller decides whether to wait.
 */
export class ConfigKeeper {
  readonly quarantine = new Quarantine();
  readonly #options: ConfigKeeperOptions;
  readonly #file: ConfigFile;
  readonly #checker: Checker;
  readonly #record: CheckRecord;
  #written: WrittenConfig | undefined;
  #messages: readonly ConfigMessage[] = [];
  #unchecked: string | undefined;
  #rejected: { readonly hash: string; readonly isLimit: boolean } | undefined;
  /** Hash of a text on which HAProxy did not start. */
  #unstartable: string | undefined;
  /** Of one on which it did: what a check has to say of it, warnings, is not known yet. */
  #unheard: string | undefined;
  readonly #turns = new Turns();
  #addressesTriedAt = -Infinity;

  constructor(options: ConfigKeeperOptions) {
    this.#options = options;
    this.#file = new ConfigFile(options);
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
    return this.#file.bytes;
  }

  /** Milliseconds until lines of servers in the file are to be checked that never were; undefined when all were. */
  get checkDueInMs(): number | undefined {
    return this.#record.dueInMs;
  }

  /** Hash of the file on disk; undefined when there is none. */
  diskHash(): Promise<string | undefined> {
    return this.#file.hash();
  }

  /**
   * Brings the file to `desired`, or to the part of it that HAProxy accepts. Throws AgentError when the file
   * cannot be written or no verdict is to be had; the old file then stays.
   */
  keep(desired: DesiredState, shared: SharedLines, options: KeepOptions = {}): Promise<Kept> {
    return this.#turns.take(() => this.#keep(desired, shared, options));
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
   * a check; that comes with the next `keep`. Where `load` returns false, what was there is put back. False then, and
   * where this is no way to go: nobody may write, the operator's command is to judge, or this text did not start before.
   * Throws what `load` throws, and AgentError when the file cannot be written.
   */
  tryOut(
    desired: DesiredState,
    shared: SharedLines,
    load: (candidate: DesiredState) => Promise<boolean>,
  ): Promise<boolean> {
    return this.#turns.take(() => this.#tryOut(desired, shared, load));
  }

  async #tryOut(
    desired: DesiredState,
    shared: SharedLines,
    load: (candidate: DesiredState) => Promise<boolean>,
  ): Promise<boolean> {
    const { doWrites, validator } = this.#options;
    if (!doWrites || validator.isOperators) return false;
    const candidate = this.quarantine.clear(desired, this.#written?.desired, shared);
    const text = render(candidate);
    const hash = hashOf(text);
    // What is known to be good needs no trial, and what is known to be bad gets none.
    if ([this.#written?.sha256, this.#rejected?.hash, this.#unstartable].includes(hash)) return false;
    const by = await this.#record.executable;
    const isGood = await this.#file.tryOut(text, this.#written?.sha256, () => load(candidate));
    this.#unstartable = isGood ? undefined : hash;
    this.#unheard = isGood ? hash : undefined;
    if (isGood) {
      await this.#record.passed(candidate, by);
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
    this.#options.metrics.quarantined(this.quarantine.entries.length);
    const isSame = isSameState(written?.desired, candidate);
    const hash = written !== undefined && isSame ? written.sha256 : hashOfParts(renderBytes(candidate));
    const isThere = written?.sha256 === hash && (await this.diskHash()) === hash;
    const isRejected = this.#rejected?.hash === hash;
    if (isThere && !isRejected && (options.mayWait === true || this.checkDueInMs === undefined)) {
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
    if (
      isRejected &&
      !(this.#rejected?.isLimit && (await this.#checker.tooMany(candidate, options)) === undefined)
    ) {
      // Going back to what was checked may have failed: the disk was full.
      await this.#checkFile(isThere, options);
      return { accepted: this.#written?.desired, current: false };
    }
    const { quarantine } = this;
    const check = (each: string, state: DesiredState): Promise<Verdict> =>
      this.#checker.check(each, state, options);
    const by = await this.#record.executable;
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
      const level = isLimit && this.#rejected?.isLimit ? 'debug' : 'error';
      const messages = settled.messages.map(({ text }) => text);
      logger[level]('haproxy rejects the configuration; the old file stays', { file: configPath, messages });
      this.#rejected = { hash, isLimit };
      await this.#checkFile(isThere, options);
      return { accepted: this.#written?.desired, current: false };
    }
    this.#rejected = undefined;
    const { accepted } = settled;
    await this.#record.passed(settled.unchecked === undefined ? accepted : undefined, by);
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
    const by = await this.#record.executable;
    if (!isIt && (await this.#checker.check(render(desired), desired, options)).valid) {
      await this.#record.passed(desired, by);
      await this.#note({ desired, sha256, at });
      return;
    }
    if (fallback === undefined) return;
    await this.#write(fallback, hashOfParts(renderBytes(fallback)));
    this.#record.returned();
  }

  async #write(desired: DesiredState, sha256: string, isUnchecked = false): Promise<void> {
    await this.#file.write(renderBytes(desired), this.#written?.sha256, isUnchecked);
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
    if (this.#options.doWrites) await this.#file.keepLastGood();
  }

  /**
   * For a file that could not be loaded, where nobody knows what runs: puts back the one that was there before ours,
   * if nothing of ours was ever loaded. False, and nothing done, where that is not so. Throws AgentError `file_write`.
   */
  putBackOperators(): Promise<boolean> {
    return this.#turns.take(async () => {
      if (!this.#options.doWrites || !(await this.#file.putBackOperators())) return false;
      this.#written = undefined;
      await this.#options.onWritten(undefined);
      return true;
    });
  }
}
