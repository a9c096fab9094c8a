import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '@smartstack/agent';
import { format, storedShapes } from './storedShapes.js';
import type { DesiredState, ServiceSections } from '../types.js';

/** The identity of a worker: a pid alone is used again. */
export interface ProcessIdentity {
  readonly pid: number;
  /** `Start_time_sec` of `show info`: seconds since the epoch. */
  readonly startedAt: number;
}

/** The file that was accepted last, and written. */
export interface WrittenConfig {
  readonly desired: DesiredState;
  /** SHA-256 of the file's text, hexadecimal. */
  readonly sha256: string;
  /** When it was put in place, in milliseconds since the epoch. */
  readonly at: number;
  /** It holds lines of servers that no check has read. */
  readonly unchecked?: true;
}

/** What one HAProxy runs, as far as we know: what it loaded, advanced by our commands. */
export interface RunningConfig {
  readonly process: ProcessIdentity;
  readonly desired: DesiredState;
}

/** What must survive a restart of synapse, so that HAProxy is not reloaded for nothing. */
export interface Beliefs {
  readonly written: WrittenConfig | undefined;
  /** By path of the admin socket. */
  readonly running: ReadonlyMap<string, RunningConfig>;
}

/** Nothing is known. */
export const noBeliefs: Beliefs = { written: undefined, running: new Map() };

/** True when both workers are the same process. */
export function sameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startedAt === b.startedAt;
}

/** Beliefs as they were put down at some time, and the number of the last change by then (`beliefChange.ts`). */
export interface Snapshot extends Beliefs {
  readonly seq: number;
}

/** Reads what an earlier run knew. Never throws: what is missing or not ours is not known, which costs one reload. */
export async function readBeliefs(path: string): Promise<Snapshot> {
  const text = await readFile(path, 'utf8').catch(() => '');
  if (text === '') return { ...noBeliefs, seq: 0 };
  try {
    const { seq, written, running } = storedShapes().beliefs.parse(JSON.parse(text));
    const known = running.flatMap(({ socket, process, desired, asWritten }) => {
      const state = asWritten === true ? written?.desired : desired;
      return state === undefined ? [] : [[socket, { process, desired: state }] as const];
    });
    return { seq, written, running: new Map(known) };
  } catch {
    return { ...noBeliefs, seq: 0 };
  }
}

/** Most services outlive many changes of the others: each is spelled out once. */
const textOfService = new WeakMap<ServiceSections, string>();

/** The sections of a service as JSON. */
export function serviceText(service: ServiceSections): string {
  const known = textOfService.get(service);
  if (known !== undefined) return known;
  const text = JSON.stringify(service);
  textOfService.set(service, text);
  return text;
}

function stateText({ base, services, sharedFrontend }: DesiredState): string {
  const shared = sharedFrontend === undefined ? '' : `,"sharedFrontend":${JSON.stringify(sharedFrontend)}`;
  return `{"base":${JSON.stringify(base)},"services":[${services.map(serviceText).join(',')}]${shared}}`;
}

/** Keeps beliefs for the next run, atomically; returns the size in bytes. Throws AgentError `file_write`. */
export async function writeBeliefs(path: string, { seq, written, running }: Snapshot): Promise<number> {
  const processes = [...running].map(([socket, { process, desired }]) => {
    const who = `"socket":${JSON.stringify(socket)},"process":${JSON.stringify(process)}`;
    // Usually they are one and the same, and half the size.
    const what = desired === written?.desired ? '"asWritten":true' : `"desired":${stateText(desired)}`;
    return `{${who},${what}}`;
  });
  const file =
    written === undefined ? '' : `"written":{"desired":${stateText(written.desired)},${factsText(written)}},`;
  const text = `{"format":${format},"seq":${seq},${file}"running":[${processes.join(',')}]}\n`;
  await writeFileAtomic(path, text, { mode: 0o600 });
  return text.length;
}

/** What is known of the file besides what it holds, as members of a JSON object. */
export function factsText({ sha256, at, unchecked }: Omit<WrittenConfig, 'desired'>): string {
  return `"sha256":"${sha256}","at":${at}${unchecked === true ? ',"unchecked":true' : ''}`;
}

/** When a worker began, as its own clock and ours tell. */
export interface WorkerStart {
  readonly startedAt: number;
  readonly uptimeSeconds: number;
  /** Wall clock now, in milliseconds. */
  readonly now: number;
}

/**
 * What a worker loaded, when it is not the one we know: the file on disk, if it is the one we wrote and was in
 * place before the worker started. Starts are known to the second only, so within that second nobody can tell.
 */
export function loadedBy(
  { startedAt, uptimeSeconds, now }: WorkerStart,
  written: WrittenConfig | undefined,
  diskHash: string | undefined,
): DesiredState | undefined {
  if (written === undefined || written.sha256 !== diskHash) return undefined;
  // The earlier of both: the wall clock may have been set back since the worker noted its start.
  const started = Math.min(startedAt * 1000, now - (uptimeSeconds + 1) * 1000);
  return written.at < started ? written.desired : undefined;
}
