import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, makeDirectory, writeFileAtomic } from '@smartstack/agent';
import { emptyMemory, type Memory, parseMemory, sameServers, serialiseMemory } from '../desired/memory.js';

/** Ruby rewrites its state file after 60 turns of a loop of about a second: tools watch its age. */
const refreshMs = 60_000;
/** New ids are worth keeping soon; a burst of changes is one write. */
const leastMs = 1_000;
/**
 * Writing takes at most this share of the time: the file holds all servers, and a change is of one. Until it is written
 * what each process was told (`loaded/beliefStore.ts`) knows the new ids.
 */
const restPerWork = 500;

/** Airbnb's state file: server ids and recently vanished servers. Without a path memory lives only in the process. */
export class StateFile {
  readonly #path: string | undefined;
  readonly #clock: Clock;
  #writtenAt = -Infinity;
  #tookMs = 0;
  #written: Memory | undefined;

  constructor(path: string | undefined, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** Reads what was remembered. A file that is missing or damaged is an empty memory, as in Ruby. */
  async read(): Promise<Memory> {
    if (this.#path === undefined) return emptyMemory;
    const text = await readFile(this.#path, 'utf8').catch(() => undefined);
    return text === undefined ? emptyMemory : parseMemory(text);
  }

  /** Writes `memory` when servers changed since the last write, or when that was a minute ago. Throws AgentError. */
  async refresh(memory: Memory): Promise<void> {
    const age = this.#clock.monotonic() - this.#writtenAt;
    const changed = this.#written === undefined || !sameServers(this.#written, memory);
    if (age >= refreshMs || (changed && age >= Math.max(leastMs, this.#tookMs * restPerWork)))
      await this.write(memory);
  }

  /** Writes now. */
  async write(memory: Memory): Promise<void> {
    if (this.#path === undefined) return;
    const startedAt = this.#clock.monotonic();
    await makeDirectory(dirname(this.#path)).catch(() => undefined);
    await writeFileAtomic(this.#path, serialiseMemory(memory));
    this.#writtenAt = this.#clock.monotonic();
    this.#tookMs = this.#writtenAt - startedAt;
    this.#written = memory;
  }
}
