import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AgentError, type Clock, describeError, makeDirectory } from '@smartstack/agent';
import { blame, type Culprit, type SharedLineOwner } from './blame.js';
import { type CommandResult, runCommand, runShell } from '@smartstack/agent/command';
import { type ConfigMessage, parseConfigMessages } from './configMessages.js';
import type { Quarantine, SharedLines } from './quarantineStore.js';
import { withoutBudgets } from '../desired/budgetLines.js';
import { withoutLatencies } from '../desired/latencyLines.js';
import { withoutTap } from '../desired/tapLines.js';
import { render } from '../desired/render.js';
import type { DesiredState } from '../types.js';

/** What a check of a candidate found. */
export interface Verdict {
  readonly valid: boolean;
  readonly messages: readonly ConfigMessage[];
  /** Set when nobody could check: why. Then `valid` is true, as in Ruby without do_checks. */
  readonly unchecked?: string;
}

/** How candidates are checked. */
export interface ValidatorOptions {
  readonly clock: Clock;
  /** Where the candidate is written; `checkCommand` knows this path by itself. */
  readonly candidatePath: string;
  readonly haproxyBinary: string;
  /** The operator's command line; undefined: `haproxy -c -f <candidate>`. */
  readonly checkCommand: string | undefined;
  readonly timeoutMs: number;
}

/** HAProxy's status of a file without errors that has no listener yet. */
const noListener = 2;

/** Has candidates checked by the real HAProxy, or by the operator's command. */
export class Validator {
  readonly #options: ValidatorOptions;

  constructor(options: ValidatorOptions) {
    this.#options = options;
  }

  /** It is for a command of the operator's to say what is valid. */
  get isOperators(): boolean {
    return this.#options.checkCommand !== undefined;
  }

  /** Writes the candidate and has it checked. Throws AgentError (retriable): `file_write`, or `check-failed` without a verdict. */
  async check(text: string, signal?: AbortSignal): Promise<Verdict> {
    const { candidatePath, haproxyBinary, checkCommand, clock, timeoutMs } = this.#options;
    await writeCandidate(candidatePath, text);
    const options = { clock, timeoutMs, signal };
    if (checkCommand !== undefined) {
      const result = await runShell(checkCommand, options);
      return verdictOf(result, result.exitCode === 0);
    }
    const result = await runCommand(haproxyBinary, ['-c', '-f', candidatePath], options);
    if (result.problem?.includes('ENOENT') === true) {
      return { valid: true, messages: [], unchecked: `${haproxyBinary} is not installed here` };
    }
    return verdictOf(result, result.exitCode === 0 || result.exitCode === noListener);
  }
}

async function writeCandidate(path: string, text: string): Promise<void> {
  try {
    await makeDirectory(dirname(path));
    await writeFile(path, text);
  } catch (error) {
    const message = `cannot write ${path}: ${describeError(error)}`;
    throw new AgentError('file_write', message, { cause: error, retriable: true });
  }
}

function verdictOf(result: CommandResult, valid: boolean): Verdict {
  if (result.problem !== undefined) {
    throw new AgentError('check-failed', `the check of the configuration did not end: ${result.problem}`, {
      retriable: true,
    });
  }
  const messages = parseConfigMessages(result.output);
  if (valid || messages.some(({ severity }) => severity === 'error')) return { valid, messages };
  const text = `the check ended with status ${result.exitCode ?? 'unknown'}: ${result.output.trim().slice(0, 500)}`;
  return { valid, messages: [...messages, { severity: 'error', text }] };
}

/** A state that was accepted; undefined when nothing acceptable was found. */
export interface Settled {
  readonly accepted: DesiredState | undefined;
  /** Of the last check. */
  readonly messages: readonly ConfigMessage[];
  readonly unchecked?: string;
}

/** What `settle` works on. */
export interface SettleInput {
  /** As computed from the catalog, before anything is held back. */
  readonly desired: DesiredState;
  readonly lastGood: DesiredState | undefined;
  readonly shared: SharedLines;
  readonly quarantine: Quarantine;
  /** `desired` without what is held back now. */
  readonly candidate: () => DesiredState;
  readonly check: (text: string, candidate: DesiredState) => Promise<Verdict>;
}

/** Each round holds back at least one culprit, usually all that HAProxy named. */
const maxRounds = 12;

/**
 * Finds the part of `desired` that HAProxy accepts: checks it, holds back what the messages blame (or bisection
 * finds), and checks again, so that one service's bad lines cannot keep the others from being written.
 */
export async function settle(input: SettleInput): Promise<Settled> {
  const { desired, lastGood, shared, quarantine, check, candidate: next } = input;
  let last: Verdict | undefined;
  for (let round = 0; round < maxRounds; round += 1) {
    const candidate = next();
    const text = render(candidate);
    const verdict = await check(text, candidate);
    last = verdict;
    if (verdict.valid) {
      const { messages, unchecked } = verdict;
      return {
        accepted: candidate,
        messages,
        ...(unchecked !== undefined && { unchecked }),
      };
    }
    if (holdNamed(verdict.messages, text, candidate, input)) continue;
    // To leave out services until the rest fits would hit whoever comes last.
    if (verdict.messages.some(({ isLimit }) => isLimit)) break;
    const reason = verdict.messages.find(({ severity }) => severity === 'error')?.text ?? 'rejected';
    const culprit = await bisect(candidate, shared, check);
    if (!quarantine.hold(culprit, reason, desired, lastGood, shared)) break;
  }
  return { accepted: undefined, messages: last?.messages ?? [] };
}

/** Holds back whom messages about `candidate` (rendered as `text`) blame; false when they name nobody new. */
export function holdNamed(
  messages: readonly ConfigMessage[],
  text: string,
  candidate: DesiredState,
  { desired, lastGood, shared, quarantine }: Omit<SettleInput, 'check' | 'candidate'>,
): boolean {
  let isHeld = false;
  for (const { culprit, reason } of blameAll(messages, text, candidate, shared)) {
    isHeld = quarantine.hold(culprit, reason, desired, lastGood, shared) || isHeld;
  }
  return isHeld;
}

function blameAll(
  messages: readonly ConfigMessage[],
  text: string,
  candidate: DesiredState,
  shared: SharedLines,
): readonly { readonly culprit: Culprit; readonly reason: string }[] {
  const owner: SharedLineOwner = (line) => [...shared].find(([, lines]) => lines.includes(line))?.[0];
  return messages.flatMap((message) => {
    if (message.severity !== 'error') return [];
    const culprit = blame(message, text, candidate, owner);
    return culprit === undefined ? [] : [{ culprit, reason: message.text }];
  });
}

/** Lines that are no service's own, and states without them. */
const ours = [
  ['latencies', withoutLatencies],
  ['budgets', withoutBudgets],
  ['tap', withoutTap],
] as const;

/** The lines that count latencies, those of budgets, or those of the tap, if they alone are at fault, or the first service with which the file becomes invalid, or the base when it is so without any. */
async function bisect(
  candidate: DesiredState,
  shared: SharedLines,
  check: SettleInput['check'],
): Promise<Culprit> {
  const { services } = candidate;
  for (const [kind, without] of ours) {
    const plain = without(candidate);
    if (plain !== candidate && (await check(render(plain), plain)).valid) return { kind };
  }
  const validWith = async (count: number): Promise<boolean> => {
    const dropped = new Set(services.slice(count).flatMap(({ service }) => shared.get(service) ?? []));
    const sharedFrontend = candidate.sharedFrontend && {
      ...candidate.sharedFrontend,
      lines: candidate.sharedFrontend.lines.filter((line) => !dropped.has(line.trim())),
    };
    const part = {
      base: candidate.base,
      services: services.slice(0, count),
      ...(sharedFrontend && { sharedFrontend }),
    };
    return (await check(render(part), part)).valid;
  };
  if (!(await validWith(0))) return { kind: 'base' };
  let good = 0;
  let bad = services.length;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (await validWith(middle)) good = middle;
    else bad = middle;
  }
  return { kind: 'service', service: services[bad - 1]?.service ?? '' };
}
