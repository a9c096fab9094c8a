import { type FileHandle, open, readFile, unlink } from 'node:fs/promises';
import { makeDirectory } from '@smartstack/agent';
import { dirname } from 'node:path';
import * as z from 'zod';
import {
  type Beliefs,
  noBeliefs,
  type ProcessIdentity,
  readBeliefs,
  type RunningConfig,
  sameProcess,
  storedProcess,
  storedServer,
  writeBeliefs,
  type WrittenConfig,
} from './beliefs.js';
import type { DesiredState, KnownServers, Server } from '../types.js';

/** A server that is about to be added: noted first, so that a crash in between leaves none that nobody owns. */
interface Intent {
  readonly socket: string;
  readonly process: ProcessIdentity;
  readonly service: string;
  readonly server: Server;
}

const storedIntent = z.object({
  socket: z.string(),
  process: storedProcess,
  service: z.string(),
  server: storedServer,
});

function withIntent(running: RunningConfig, { service, server }: Intent): RunningConfig {
  const services = running.desired.services.map((sections) => {
    const { backend } = sections;
    if (sections.service !== service) return sections;
    const isKnown = backend.servers.some(({ name }) => name === server.name);
    const servers = isKnown
      ? backend.servers.map((each): Server =>
          each.name === server.name ? { ...each, unconfirmed: true } : each,
        )
      : [...backend.servers, server];
    return { ...sections, backend: { ...backend, servers } };
  });
  return { ...running, desired: { ...running.desired, services } };
}

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

type Generation = 0 | 1;
const generations: readonly Generation[] = [0, 1];

function journalOf(path: string, generation: Generation): string {
  return `${path}.intents-${generation}`;
}

/**
 * What synapse knows of the file and of each process, kept across its own restarts. A snapshot is written when
 * something has settled; between snapshots, intents are appended, which the kernel keeps even if we are killed.
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
    const { written, running } = await readBeliefs(path);
    store.#written = written;
    for (const [socket, config] of running) store.#running.set(socket, config);
    for (const generation of generations) {
      const journal = await readFile(journalOf(path, generation), 'utf8').catch(() => '');
      for (const line of journal.split('\n')) store.#replay(line);
    }
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
    const lines = servers.map(({ service, server }) => JSON.stringify({ socket, process, service, server }));
    const journal = await this.#journal(this.#path, this.#generation);
    await journal?.write(`${lines.join('\n')}\n`).catch(() => undefined);
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

  /** Writes a snapshot, if anything changed since the last one. Throws AgentError `file_write`. */
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
    // What is intended from here on is not in this snapshot, and must outlive its journal.
    const covered = this.#generation;
    this.#generation = covered === 0 ? 1 : 0;
    await makeDirectory(dirname(path)).catch(() => undefined);
    await writeBeliefs(path, beliefs);
    this.#stored = beliefs;
    await this.#release(covered);
    await unlink(journalOf(path, covered)).catch(() => undefined);
    await this.#journal(path, this.#generation);
  }

  #replay(line: string): void {
    if (line === '') return;
    try {
      const intent: Intent = storedIntent.parse(JSON.parse(line));
      const known = this.#running.get(intent.socket);
      if (known === undefined || !sameProcess(known.process, intent.process)) {
        this.#unplaced = [...this.#unplaced, intent];
        return;
      }
      this.#running.set(intent.socket, withIntent(known, intent));
    } catch {
      // A line that a crash cut short was never acted on: its commands are sent after it.
    }
  }
}
