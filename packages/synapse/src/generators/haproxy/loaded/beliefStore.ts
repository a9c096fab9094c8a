import { type FileHandle, open, readFile, unlink } from 'node:fs/promises';
import { AgentError, describeError, makeDirectory } from '@smartstack/agent';
import { dirname } from 'node:path';
import { applyChange, changeText } from './beliefChange.js';
import { type Intent, type JournalEntry, readJournals, withIntent } from './beliefJournal.js';
import {
  type Beliefs,
  noBeliefs,
  type ProcessIdentity,
  readBeliefs,
  type RunningConfig,
  sameProcess,
  type Snapshot,
  writeBeliefs,
  type WrittenConfig,
} from './beliefs.js';
import type { DesiredState, KnownServers, Server } from '../types.js';

/** What it is to be, whatever runs of it. */
function confirmed(server: Server): Server {
  const { unconfirmed, ...rest } = server;
  return unconfirmed === undefined ? server : rest;
}

/** A state is a value: its services are put in a table once. */
const tables = new WeakMap<DesiredState, ReadonlyMap<string, readonly Server[]>>();

function serversByService(state: DesiredState): ReadonlyMap<string, readonly Server[]> {
  const known = tables.get(state);
  if (known !== undefined) return known;
  const made = new Map(state.services.map(({ service, backend }) => [service, backend.servers]));
  tables.set(state, made);
  return made;
}

/** A journal of changes is read in full at a start: so long it may become, or half the size of a snapshot. */
const journalBytes = 256 * 1024;

type Generation = 0 | 1;
const generations: readonly Generation[] = [0, 1];

function journalOf(path: string, generation: Generation): string {
  return `${path}.intents-${generation}`;
}

/**
 * What synapse knows of the file and of each process, kept across its own restarts. When something has settled, what
 * changed is appended to a journal, and a snapshot is written where that would be too long; in between, intents are
 * appended, which the kernel keeps even if we are killed.
 */
export class BeliefStore {
  readonly #path: string | undefined;
  #written: WrittenConfig | undefined;
  readonly #running = new Map<string, RunningConfig>();
  /** What was intended of a process of which no snapshot was written, until more is known of its socket. */
  #unplaced: readonly Intent[] = [];
  /** Sockets that are configured: what is known of others is of no use, until they are again. */
  readonly #sockets: ReadonlySet<string>;
  #turn: Promise<void> = Promise.resolve();
  #stored: Beliefs = noBeliefs;
  /** Of the last change or snapshot that was begun. */
  #seq = 0;
  /** Sizes in bytes: of the last snapshot, and of the changes since. */
  #snapshotBytes = 0;
  #changedBytes = 0;
  #generation: Generation = 0;
  /** Journals by generation. The one in use is open before it is needed: a change waits for its note. */
  readonly #journals = new Map<Generation, Promise<FileHandle | undefined>>();
  #closed = false;

  private constructor(path: string | undefined, sockets: readonly string[]) {
    this.#path = path;
    this.#sockets = new Set(sockets);
  }

  /** Reads what an earlier run knew of these `sockets`; without a path nothing outlives the process. */
  static async open(path: string | undefined, sockets: readonly string[]): Promise<BeliefStore> {
    const store = new BeliefStore(path, sockets);
    if (path === undefined) return store;
    const { seq, ...beliefs } = await readBeliefs(path);
    store.#seq = seq;
    store.#believe(beliefs);
    const journals = await Promise.all(
      generations.map((each) => readFile(journalOf(path, each), 'utf8').catch(() => '')),
    );
    for (const entry of readJournals(journals, seq)) store.#replay(entry);
    return store;
  }

  get written(): WrittenConfig | undefined {
    return this.#written;
  }

  set written(written: WrittenConfig | undefined) {
    this.#written = written;
  }

  /** What the process behind a socket runs, if it is the one we know. */
  running(socket: string, process: ProcessIdentity): DesiredState | undefined {
    const known = this.#running.get(socket);
    return known !== undefined && sameProcess(known.process, process) ? known.desired : undefined;
  }

  /** Servers of a service that HAProxy was told of last, which the file may not have yet; undefined where nobody knows. */
  serversOf(service: string): readonly Server[] | undefined {
    const unplaced = this.#unplaced.filter(
      (each) => each.service === service && this.#sockets.has(each.socket),
    );
    const told = this.#lastRunning.flatMap((desired) => {
      const servers = serversByService(desired).get(service);
      return servers === undefined ? [] : [servers];
    });
    if (told.length === 0 && unplaced.length === 0) return undefined;
    // What a process is known to run says more than what another was about to be told.
    const servers = [...unplaced.map(({ server }) => server), ...told.flat()];
    return [...new Map(servers.map((server) => [server.name, confirmed(server)])).values()];
  }

  /** Servers that an earlier run had in the file, in HAProxy, or was about to add, whoever runs there now. */
  get lastServers(): readonly KnownServers[] {
    const states = [this.#written?.desired, ...this.#lastRunning];
    const unplaced = this.#unplaced.filter(({ socket }) => this.#sockets.has(socket));
    return [
      ...states.flatMap((each) => each?.services ?? []),
      ...unplaced.map(({ service, server }) => ({ service, backend: { servers: [server] } })),
    ];
  }

  get #lastRunning(): readonly DesiredState[] {
    const ofSockets = [...this.#running].filter(([socket]) => this.#sockets.has(socket));
    return ofSockets.map(([, { desired }]) => desired);
  }

  setRunning(socket: string, process: ProcessIdentity, desired: DesiredState): void {
    const known = this.#running.get(socket);
    if (known?.desired === desired && sameProcess(known.process, process)) return;
    this.#running.set(socket, { process, desired });
    // Of what it was told before, this says more.
    if (this.#unplaced.length > 0) this.#unplaced = this.#unplaced.filter((each) => each.socket !== socket);
  }

  /** Notes servers before they are added. Failing to note them is no reason not to serve: it only risks a leftover. */
  async intend(
    socket: string,
    process: ProcessIdentity,
    servers: readonly { readonly service: string; readonly server: Server }[],
  ): Promise<void> {
    if (this.#path === undefined || servers.length === 0) return;
    const after = this.#seq;
    const lines = servers.map((each) => JSON.stringify({ socket, process, ...each, after }));
    const journal = await this.#journal(this.#path, this.#generation);
    // What a crash or a full disk cut short before it must not swallow it.
    await journal?.write(`\n${lines.join('\n')}\n`).catch(() => undefined);
  }

  /** Lets go of the files. What is noted from here on is not kept. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
    for (const generation of generations) await this.#release(generation);
  }

  #journal(path: string, generation: Generation): Promise<FileHandle | undefined> {
    const known = this.#journals.get(generation);
    if (known !== undefined) return known;
    if (this.#closed) return Promise.resolve(undefined);
    const opened = open(journalOf(path, generation), 'a', 0o600).catch(() => {
      // Next time it may be possible.
      this.#journals.delete(generation);
      return undefined;
    });
    this.#journals.set(generation, opened);
    return opened;
  }

  async #release(generation: Generation): Promise<void> {
    const opened = this.#journals.get(generation);
    this.#journals.delete(generation);
    await (await opened)?.close().catch(() => undefined);
  }

  /** Keeps what changed since the last time, if anything did. Throws AgentError `file_write`. */
  save(): Promise<void> {
    const next = this.#turn.then(() => this.#save());
    this.#turn = next.catch(() => undefined);
    return next;
  }

  async #save(): Promise<void> {
    const path = this.#path;
    const { written: storedWritten, running: storedRunning } = this.#stored;
    const isSame =
      storedWritten === this.#written &&
      storedRunning.size === this.#running.size &&
      [...this.#running].every(([socket, config]) => storedRunning.get(socket) === config);
    if (path === undefined || isSame) return;
    const beliefs = { written: this.#written, running: new Map(this.#running) };
    this.#seq += 1;
    const seq = this.#seq;
    const change = changeText(seq, this.#stored, beliefs);
    // Where it fails, nobody knows what of it is there: the next time all is written.
    this.#stored = noBeliefs;
    const snap = (): Promise<void> => this.#snap(path, { ...beliefs, seq });
    if (!this.#fits(change)) await snap();
    else if (!(await this.#append(path, change))) await snap();
    this.#stored = beliefs;
  }

  /** Whether the journal is the place for a change. */
  #fits(change: string | undefined): change is string {
    if (change === undefined) return false;
    return this.#changedBytes + change.length <= Math.max(journalBytes, this.#snapshotBytes / 2);
  }

  /** False where there is no journal. */
  async #append(path: string, change: string): Promise<boolean> {
    const journal = await this.#journal(path, this.#generation);
    if (journal === undefined) return false;
    try {
      // Not `write`, which is content with a part where the disk becomes full.
      await journal.appendFile(`\n${change}\n`);
      await journal.datasync();
    } catch (error) {
      const message = `Cannot write ${journalOf(path, this.#generation)}: ${describeError(error)}`;
      throw new AgentError('file_write', message, { cause: error, retriable: true });
    }
    this.#changedBytes += change.length;
    return true;
  }

  async #snap(path: string, snapshot: Snapshot): Promise<void> {
    // What is intended from here on is not in this snapshot, and must outlive its journal.
    const covered = this.#generation;
    this.#generation = covered === 0 ? 1 : 0;
    await makeDirectory(dirname(path)).catch(() => undefined);
    this.#snapshotBytes = await writeBeliefs(path, snapshot);
    this.#changedBytes = 0;
    await this.#release(covered);
    await unlink(journalOf(path, covered)).catch(() => undefined);
    await this.#journal(path, this.#generation);
  }

  #believe({ written, running }: Beliefs): void {
    this.#written = written;
    this.#running.clear();
    for (const [socket, config] of running) this.#running.set(socket, config);
  }

  #replay(entry: JournalEntry): void {
    if ('change' in entry) {
      const { change } = entry;
      // Put on something else than it followed, it would say what is not so.
      if (change.seq !== this.#seq + 1) return;
      this.#believe(applyChange({ written: this.#written, running: this.#running }, change));
      this.#seq = change.seq;
      return;
    }
    const { intent } = entry;
    const known = this.#running.get(intent.socket);
    if (known === undefined || !sameProcess(known.process, intent.process)) {
      this.#unplaced = [...this.#unplaced, intent];
      return;
    }
    this.#running.set(intent.socket, withIntent(known, intent));
  }
}
