import { isBudgetLine } from '../desired/budgetLines.js';
import { isLatencyLine } from '../desired/latencyLines.js';
import { ownTitle } from '../desired/sharedRules.js';
import { isTapLine } from '../desired/tapLines.js';
import type { ConfigMessage } from './configMessages.js';
import type { DesiredState } from '../types.js';

/** Who caused a message of HAProxy: a server of a service, a service, or the file's own frame (global, defaults ...). */
export type Culprit =
  | { readonly kind: 'server'; readonly service: string; readonly server: string }
  | { readonly kind: 'service'; readonly service: string }
  /** Its frontend alone: nobody can listen on an address of it. */
  | { readonly kind: 'frontend'; readonly service: string }
  /** What the service added to the shared frontend. */
  | { readonly kind: 'shared-lines'; readonly service: string; readonly isAddress?: true }
  /** A `bind` line of a section that is nobody's (the stats page, the shared frontend): nobody can listen there. */
  | { readonly kind: 'bind'; readonly section: string; readonly line: string }
  /** The lines with which synapse counts latencies, in whosever section: they are no service's fault. */
  | { readonly kind: 'latencies' }
  /** The same of those of budgets of retries. */
  | { readonly kind: 'budgets' }
  /** The same of those of the tap. */
  | { readonly kind: 'tap' }
  | { readonly kind: 'base'; readonly isLimit?: true };

/** Answers which service added a line to the shared frontend. */
export type SharedLineOwner = (line: string) => string | undefined;

/** A section begins at a line without indentation that is neither empty nor a comment. */
const sectionStart = /^[^\s#]/;
const serverLine = /^\s*server\s+(\S+)/;

function ownersByTitle(desired: DesiredState): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (const { service, frontend, backend } of desired.services) {
    if (frontend !== undefined) owners.set(frontend.title, service);
    owners.set(`backend ${backend.name}`, service);
  }
  return owners;
}

/** The title of the section that holds line `number` (from 1) of the rendered text. */
function sectionAt(lines: readonly string[], number: number): string | undefined {
  for (let index = Math.min(number, lines.length) - 1; index >= 0; index -= 1) {
    const line = lines[index] ?? '';
    if (sectionStart.test(line)) return ownTitle(line.trim());
  }
  return undefined;
}

/** Names that a message without a line number quotes: `'web'`, `backend 'web'`, `'server web/a'`. */
function quotedNames(text: string): readonly string[] {
  return [...text.matchAll(/'([^']+)'/g)].map(([, name = '']) => name);
}

function byName(text: string, desired: DesiredState): Culprit | undefined {
  const names = quotedNames(text);
  for (const { service, frontend, backend } of desired.services) {
    for (const server of backend.servers) {
      const full = `${backend.name}/${server.name}`;
      if (names.some((name) => name === full || name === `server ${full}`)) {
        return { kind: 'server', service, server: server.name };
      }
    }
    const own = [backend.name, frontend?.title.split(' ')[1], service];
    if (names.some((name) => own.includes(name))) return { kind: 'service', service };
  }
  return undefined;
}

/** Finds whose line a message is about; undefined when it names neither a place nor anybody we know. */
export function blame(
  { line: number, text, isAddress, isLimit }: ConfigMessage,
  rendered: string,
  desired: DesiredState,
  ownerOfSharedLine: SharedLineOwner,
): Culprit | undefined {
  // What is new in `global` may be what takes too much; servers that come one by one are nobody's fault.
  if (isLimit === true) return { kind: 'base', isLimit };
  if (number === undefined) {
    const named = byName(text, desired);
    return named?.kind === 'service' && isAddress ? { kind: 'frontend', service: named.service } : named;
  }
  const lines = rendered.split('\n');
  const title = sectionAt(lines, number);
  const base: Culprit = { kind: 'base' };
  if (title === undefined) return base;
  const line = lines[number - 1] ?? '';
  if (isLatencyLine(line)) return { kind: 'latencies' };
  if (isBudgetLine(line)) return { kind: 'budgets' };
  if (isTapLine(line)) return { kind: 'tap' };
  const service = ownersByTitle(desired).get(title);
  if (service !== undefined) {
    if (isAddress === true) return { kind: 'frontend', service };
    const server = serverLine.exec(line)?.[1];
    return server === undefined ? { kind: 'service', service } : { kind: 'server', service, server };
  }
  if (title === desired.sharedFrontend?.title) {
    const author = ownerOfSharedLine(line.trim());
    if (author !== undefined)
      return { kind: 'shared-lines', service: author, ...(isAddress && { isAddress }) };
  }
  if (isAddress === true) return { kind: 'bind', section: title, line: line.trim() };
  return base;
}
