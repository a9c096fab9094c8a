import { type BeliefChange, parseChange } from './beliefChange.js';
import type { ProcessIdentity, RunningConfig } from './beliefs.js';
import { storedShapes } from './storedShapes.js';
import type { Server } from '../types.js';

/** A server that is about to be added: noted first, so that a crash in between leaves none that nobody owns. */
export interface Intent {
  readonly socket: string;
  readonly process: ProcessIdentity;
  readonly service: string;
  readonly server: Server;
  /** Number of the last change, or snapshot, that was begun before: later ones hold what came of it. */
  readonly after: number;
}

/** One line of a journal. */
export type JournalEntry = { readonly change: BeliefChange } | { readonly intent: Intent };

/** What a line says; nothing where a crash cut it short, so that what it announces never happened, or it is not ours. */
function parseLine(line: string): readonly JournalEntry[] {
  if (line === '') return [];
  try {
    const raw: unknown = JSON.parse(line);
    const isChange = typeof raw === 'object' && raw !== null && 'seq' in raw;
    return [isChange ? { change: parseChange(raw) } : { intent: storedShapes().intent.parse(raw) }];
  } catch {
    return [];
  }
}

/** When it was written: changes and intents may stand in another order, and in two files. */
function placeOf(entry: JournalEntry): number {
  return 'change' in entry ? entry.change.seq : entry.intent.after + 0.5;
}

/** What the journals hold beyond a snapshot with the number `seq`, in order. */
export function readJournals(texts: readonly string[], seq: number): readonly JournalEntry[] {
  return texts
    .flatMap((text) => text.split('\n').flatMap(parseLine))
    .filter((entry) => placeOf(entry) > seq)
    .sort((a, b) => placeOf(a) - placeOf(b));
}

/** What a process runs as far as it is known, with a server that was about to be added. */
export function withIntent(running: RunningConfig, { service, server }: Intent): RunningConfig {
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
