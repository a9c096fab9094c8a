import type * as z from 'zod';
import { type Beliefs, factsText, type RunningConfig, sameProcess, serviceText } from './beliefs.js';
import { storedShapes } from './storedShapes.js';
import { sameLines } from '../desired/sameSection.js';
import type { DesiredState, ServiceSections } from '../types.js';

/** What became of beliefs: the services that are other ones now. A process without any runs what was written. */
export type BeliefChange = z.infer<ReturnType<typeof storedShapes>['change']>;

/** The change that a line of a journal holds, as JSON parsed it. Throws when it is none. */
export function parseChange(raw: unknown): BeliefChange {
  return storedShapes().change.parse(raw);
}

/** The services that were replaced; undefined where more than that is another one. */
function replaced(before: DesiredState, now: DesiredState): readonly ServiceSections[] | undefined {
  if (before === now) return [];
  const isSameRest =
    before.base === now.base &&
    before.services.length === now.services.length &&
    sameLines(before.sharedFrontend?.lines, now.sharedFrontend?.lines);
  if (!isSameRest) return undefined;
  const changed: ServiceSections[] = [];
  for (const [index, sections] of now.services.entries()) {
    const old = before.services[index];
    if (old === sections) continue;
    if (old?.service !== sections.service) return undefined;
    changed.push(sections);
  }
  return changed;
}

function servicesText(changed: readonly ServiceSections[]): string {
  return `[${changed.map(serviceText).join(',')}]`;
}

/**
 * The difference between beliefs as JSON: as long as the services that changed, whole. Undefined where it is more than
 * servers and lines of services that were there before, and are in the same order.
 */
export function changeText(seq: number, before: Beliefs, now: Beliefs): string | undefined {
  if (before.written === undefined || now.written === undefined) return undefined;
  if (before.running.size !== now.running.size) return undefined;
  const { desired } = now.written;
  const rewritten = replaced(before.written.desired, desired);
  if (rewritten === undefined) return undefined;
  const running: string[] = [];
  for (const [socket, config] of now.running) {
    const old = before.running.get(socket);
    if (old === config) continue;
    const text = runningText(socket, config, old, desired);
    if (text === undefined) return undefined;
    running.push(text);
  }
  const written =
    before.written === now.written
      ? ''
      : `"written":{${factsText(now.written)},"services":${servicesText(rewritten)}},`;
  return `{"seq":${seq},${written}"running":[${running.join(',')}]}`;
}

function runningText(
  socket: string,
  { process, desired }: RunningConfig,
  before: RunningConfig | undefined,
  written: DesiredState,
): string | undefined {
  const who = `"socket":${JSON.stringify(socket)},"process":${JSON.stringify(process)}`;
  if (before === undefined) return undefined;
  if (desired === written) return `{${who}}`;
  const changed = sameProcess(before.process, process) ? replaced(before.desired, desired) : undefined;
  return changed && `{${who},"services":${servicesText(changed)}}`;
}

function withServices(state: DesiredState, changed: readonly ServiceSections[]): DesiredState {
  const now = new Map(changed.map((sections) => [sections.service, sections]));
  return { ...state, services: state.services.map((sections) => now.get(sections.service) ?? sections) };
}

/** The beliefs after a change. Where it does not fit them, what it says of is not known. */
export function applyChange({ written, running }: Beliefs, change: BeliefChange): Beliefs {
  const now = new Map(running);
  let file = written;
  if (change.written !== undefined && written !== undefined) {
    const { services: changed, ...facts } = change.written;
    file = { ...facts, desired: withServices(written.desired, changed) };
  }
  for (const { socket, process, services: changed } of change.running) {
    const before = running.get(socket);
    const desired = changed === undefined ? file?.desired : before && withServices(before.desired, changed);
    if (desired === undefined) now.delete(socket);
    else now.set(socket, { process, desired });
  }
  return { written: file, running: now };
}
