import { unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, makeDirectory, writeFileAtomic } from '@smartstack/agent';
import { CandidateCheck, type CandidateCheckOptions, type CheckContext } from './candidateCheck.js';
import { FileHash, hashOf } from './fileHash.js';
import type { WrittenConfig } from '../loaded/beliefs.js';
import { isSameState } from '../desired/sameState.js';
import type { ConfigMessage } from './configMessages.js';
import { OperatorsFile } from './operatorsFile.js';
import { Quarantine, type SharedLines } from './quarantineStore.js';
import { render } from '../desired/render.js';
import type { DesiredState } from '../types.js';
import { copyLastGood } from './lastGood.js';
import { tryOut } from './tryOut.js';
import { holdNamed, settle, type Verdict } from './validate.js';

/** Where the configuration goes. */
export interface ConfigKeeperOptions extends CandidateCheckOptions {
  readonly clock: Clock;
  readonly configPath: string;
  readonly candidatePath: string;
  /** False: nothing is written, and everything counts as accepted (`do_writes: false`). */
  readonly doWrites: boolean;
  /** How often addresses that were taken are tried again, in milliseconds. */
  readonly retryAddressesMs: number;
  /** What an earlier run of synapse wrote. */
  readonly written: WrittenConfig | undefined;
  /** Called after each write, before anybody waits for it; without a value where the file is none of ours any more. Rejections are those of `keep`. */
  readonly onWritten: (written: WrittenConfig | undefined) => Promise<void>;
}

/** How keeping a state on disk ended. */
export interface Kept {
  /** What the file renders now; undefined when nothing acceptable was ever found. */
  readonly accepted: DesiredState | undefined;
  /** True when the file is all of what was asked for, or all but what is quarantined. */
  readonly current: boolean;
}

/** How a state is to be kept. */
export interface KeepOptions extends CheckContext {
  /** Another state than the wanted one, for the time being: what is held back stays held. */
  readonly isStandIn?: boolean | undefined;
}

/**
 * Keeps haproxy.cfg in step: has candidates checked, holds back what HAProxy rejects, replaces the file
 * atomically and only when it differs. One candidate at a time; the caller decides whether to wait.
 */
export class ConfigKeeper {
  readonly quarantine = new Quarantine();
  readonly #options: ConfigKeeperOptions;
  readonly #disk: FileHash;
  readonly #operators: OperatorsFile;
  readonly #check: CandidateCheck;
  #written: WrittenConfig | undefined;
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
    this.#operators = new OperatorsFile(options.configPath, options.logger);
    this.#check = new CandidateCheck(options);
    this.#written = options.written;
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
    return this.#check.descriptors;
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
    await this.#operators.keep(this.#written?.sha256);
    const isGood = await tryOut(configPath, text, () => load(candidate));
    this.#unstartable = isGood ? undefined : hash;
    this.#unheard = isGood ? hash : undefined;
    if (isGood) await this.#noteWritten(candidate, hash);
    return isGood;
  }

  async #keep(desired: DesiredState, shared: SharedLines, options: KeepOptions): Promise<Kept> {
    options.signal?.throwIfAborted();
    if (!this.#options.doWrites) return { accepted: desired, current: true };
    const lastGood = this.#written?.desired;
    const next = (): DesiredState =>
      options.isStandIn === true
        ? this.quarantine.without(desired, lastGood, shared)
        : this.quarantine.clear(desired, lastGood, shared);
    const candidate = next();
    const written = this.#written;
    const isSame = isSameState(written?.desired, candidate);
    const hash = written !== undefined && isSame ? written.sha256 : hashOf(render(candidate));
    if (written?.sha256 === hash && (await this.diskHash()) === hash) {
      if (this.#unheard === hash) {
        this.#unheard = undefined;
        this.#messages = (await this.#check.check(render(candidate), candidate, options)).messages;
      }
      if (isSame) return { accepted: written.desired, current: true };
      // The same text: what is known of it is to be the values that the next pass compares.
      this.#written = { ...written, desired: candidate };
      await this.#options.onWritten(this.#written);
      return { accepted: candidate, current: true };
    }
    // What was rejected as a whole stays rejected until it changes.
    const isKnown = this.#rejected?.hash === hash;
    if (
      isKnown &&
      !(this.#rejected?.isLimit && (await this.#check.tooMany(candidate, options)) === undefined)
    ) {
      return { accepted: lastGood, current: false };
    }
    const { quarantine } = this;
    const check = (text: string, each: DesiredState): Promise<Verdict> =>
      this.#check.check(text, each, options);
    const settled = await settle({
      ...{ desired, lastGood, shared, quarantine, check },
      candidate: next,
    });
    this.#messages = settled.messages;
    this.#unchecked = settled.unchecked;
    this.#options.metrics.quarantined(quarantine.entries.length);
    // Not by what is held now: a pass may be giving it another chance just then.
    if (settled.accepted?.desired === desired) this.#check.forget();
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
      return { accepted: lastGood, current: false };
    }
    this.#rejected = undefined;
    await this.#write(settled.accepted.desired, settled.accepted.text);
    return { accepted: settled.accepted.desired, current: true };
  }

  async #write(desired: DesiredState, text: string): Promise<void> {
    const { configPath, candidatePath, logger } = this.#options;
    await makeDirectory(dirname(configPath)).catch(() => undefined);
    const sha256 = hashOf(text);
    await this.#operators.keep(this.#written?.sha256);
    await writeFileAtomic(configPath, text);
    await unlink(candidatePath).catch(() => undefined);
    logger.debug('haproxy.cfg written', { file: configPath, bytes: Buffer.byteLength(text) });
    await this.#noteWritten(desired, sha256);
  }

  async #noteWritten(desired: DesiredState, sha256: string): Promise<void> {
    this.#written = { desired, sha256, at: this.#options.clock.now() };
    await this.#options.onWritten(this.#written);
  }

  /** Keeps a copy of the file that HAProxy has just loaded, for the operator. */
  async keepLastGood(): Promise<void> {
    const { configPath, doWrites, logger } = this.#options;
    if (doWrites) await copyLastGood(configPath, logger);
  }

  /**
   * For a file that could not be loaded, where nobody knows what runs: puts back the one that was there before ours,
   * if nothing of ours was ever loaded. False, and nothing done, where that is not so. Throws AgentError `file_write`.
   */
  putBackOperators(): Promise<boolean> {
    const put = this.#turn.then(async () => {
      if (!this.#options.doWrites || !(await this.#operators.putBack())) return false;
      this.#written = undefined;
      await this.#options.onWritten(undefined);
      return true;
    });
    this.#turn = put.catch(() => undefined);
    return put;
  }
}
