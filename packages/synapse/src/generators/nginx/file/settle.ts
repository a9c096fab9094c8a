import { AgentError } from '@smartstack/agent';
import type { NginxConfig } from '../blocks.js';
import type { Section } from '../sections.js';
import { type Blame, blame, reasonIn } from './blame.js';
import type { Verdict } from './checker.js';
import type { Quarantine } from './quarantine.js';
import { type RenderedFile, renderFile } from './render.js';

/** So many times something is set aside in one pass at most. */
const maxRounds = 25;

/** What `settle` works with. */
export interface SettleInput {
  readonly config: Pick<NginxConfig, 'contexts'>;
  readonly sections: readonly Section[];
  /** The lines that were accepted last, by service. */
  readonly old: ReadonlyMap<string, Section>;
  readonly quarantine: Quarantine;
  /** Where the file may be when nginx talks of it. */
  readonly paths: readonly string[];
  /** The text that was accepted last: it need not be checked again. */
  readonly accepted: string | undefined;
  readonly check: (text: string) => Promise<Verdict>;
}

/** A file that can be used. */
export interface Settled {
  readonly text: string;
  readonly sections: readonly Section[];
}

/**
 * Finds the file that nginx accepts and that lacks the least: a service that is to blame is set aside alone, and where
 * nginx names nobody, bisection finds it. Throws AgentError `check-failed` when it is no service's fault.
 */
export async function settle(input: SettleInput): Promise<Settled> {
  const { config, sections, old, quarantine, paths, accepted, check } = input;
  quarantine.forget(sections);
  for (let round = 0; round < maxRounds; round += 1) {
    const tried = quarantine.apply(sections, old);
    const rendered = renderFile(config, tried);
    if (rendered.text === accepted) return { text: rendered.text, sections: tried };
    const { valid, output } = await check(rendered.text);
    if (valid) return { text: rendered.text, sections: tried };
    const held = holdBlamed(blame(output, paths, rendered, tried), input);
    if (!held && !holdOne(await bisect(tried, input), reasonIn(output), input)) throw rejected(output);
  }
  throw rejected('too many services have lines that it rejects');
}

/** Holds back who is to blame for what nginx says of a file that it was to load; false when nobody can tell. */
export function holdBy(output: string, rendered: RenderedFile, input: SettleInput): boolean {
  return holdBlamed(blame(output, input.paths, rendered, input.sections), input);
}

function holdBlamed(found: Blame | undefined, { sections, quarantine, old }: SettleInput): boolean {
  if (found === undefined) return false;
  if (found.kind === 'service') return quarantine.hold(found, sections, old);
  const those = sections.filter(({ context }) => context === 'stream');
  // What stood there before was of no use either.
  const none = new Map<string, Section>();
  return those
    .map(({ service }) => quarantine.hold({ service, reason: found.reason }, sections, none))
    .includes(true);
}

function holdOne(
  service: string | undefined,
  reason: string,
  { quarantine, sections, old }: SettleInput,
): boolean {
  return service !== undefined && quarantine.hold({ service, reason }, sections, old);
}

/** The first service with which the file becomes invalid; undefined when it is so without any. */
async function bisect(
  tried: readonly Section[],
  { config, check }: SettleInput,
): Promise<string | undefined> {
  const isValid = async (count: number): Promise<boolean> =>
    (await check(renderFile(config, tried.slice(0, count)).text)).valid;
  if (tried.length === 0 || !(await isValid(0))) return undefined;
  let good = 0;
  let bad = tried.length;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (await isValid(middle)) good = middle;
    else bad = middle;
  }
  return tried[bad - 1]?.service;
}

function rejected(output: string): AgentError {
  const message = `nginx rejects the configuration: ${reasonIn(output)}`;
  return new AgentError('check-failed', message, { retriable: true });
}
