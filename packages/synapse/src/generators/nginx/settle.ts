import { AgentError } from '@smartstack/agent';
import { blame, reasonIn } from './blame.js';
import type { NginxConfig } from './blocks.js';
import type { Verdict } from './checker.js';
import type { Section } from './desired.js';
import type { Quarantine } from './quarantine.js';
import { renderFile } from './render.js';

/** So many parts are set aside in one pass at most: each costs a check. */
const maxChecks = 25;

/** What `settle` works with. */
export interface SettleInput {
  readonly config: NginxConfig;
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
  readonly unchecked?: string;
}

/**
 * Finds the file that nginx accepts and that lacks the least: what can be blamed on one service or instance is set
 * aside alone; where nobody is to blame, everything that changed. Throws AgentError `check-failed` when there is none.
 */
export async function settle(input: SettleInput): Promise<Settled> {
  const { config, sections, old, quarantine, paths, accepted, check } = input;
  let output = '';
  let tried: readonly Section[] = sections;
  for (let attempt = 0; attempt < maxChecks; attempt += 1) {
    tried = quarantine.apply(sections, old);
    const rendered = renderFile(config, tried);
    if (rendered.text === accepted) return { text: rendered.text, sections: tried };
    const verdict = await check(rendered.text);
    if (verdict.valid)
      return {
        ...{ text: rendered.text, sections: tried },
        ...(verdict.unchecked !== undefined && { unchecked: verdict.unchecked }),
      };
    output = verdict.output;
    const culprit = blame(output, paths, rendered, tried);
    if (culprit === undefined) break;
    const before = quarantine.entries.length;
    quarantine.hold(culprit, sections);
    if (quarantine.entries.length === before) break;
  }
  return withoutChanges(input, tried, reasonIn(output));
}

async function withoutChanges(
  { config, sections, old, quarantine, check }: SettleInput,
  tried: readonly Section[],
  reason: string,
): Promise<Settled> {
  const changed = tried.filter((section) => !isSame(section, old.get(section.service)));
  const rest = tried.flatMap((section) => {
    if (!changed.includes(section)) return [section];
    const before = old.get(section.service);
    return before === undefined ? [] : [before];
  });
  if (changed.length > 0) {
    const { text } = renderFile(config, rest);
    const { valid } = await check(text);
    if (valid) {
      for (const { service } of changed) quarantine.hold({ service, reason }, sections);
      return { text, sections: rest };
    }
  }
  throw new AgentError('check-failed', `nginx rejects the configuration, the old file stays: ${reason}`, {
    retriable: true,
  });
}

function isSame(a: Section, b: Section | undefined): boolean {
  const text = ({ context, lines }: Section): string =>
    [context, ...lines.map((line) => line.text)].join('\n');
  return b !== undefined && text(a) === text(b);
}
