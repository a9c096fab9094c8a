import type { GeneratorPlan } from '../../catalog/types.js';
import { textChanges } from '../lineChanges.js';
import { fewOf } from '../traceSteps.js';
import type { NginxConfig } from './blocks.js';
import { type Desired, withKept } from './desired.js';
import type { Quarantine } from './file/quarantine.js';
import { renderFile } from './file/render.js';
import type { Section } from './sections.js';

/** What a plan is made of. */
interface PlanInput {
  readonly config: NginxConfig;
  /** Those that would be written: where nginx rejects the configured ones, those from before. */
  readonly contexts: NginxConfig['contexts'];
  readonly desired: Desired;
  /** By service: what the file has, and what nginx runs. */
  readonly old: ReadonlyMap<string, Section>;
  readonly loaded: ReadonlyMap<string, Section>;
  readonly quarantine: Quarantine;
  /** The text of the file; undefined where there is none. */
  readonly disk: string | undefined;
  /** The text that nginx runs; undefined when that is not known. */
  readonly running: string | undefined;
  /** It ran once, and does not any more. */
  readonly isGone: boolean;
  /** For so long there may be no reload yet, in milliseconds. */
  readonly waitMs: number;
}

/** What a pass would do now, without asking nginx what it thinks of it. Pure. */
export function planOf(input: PlanInput): GeneratorPlan {
  const { config, contexts, desired, old, quarantine, disk } = input;
  if (!config.doWrites)
    return { ...nothing, notes: ['do_writes is false: nothing is written, and nothing reloaded'] };
  const sections = quarantine.apply(withKept(desired, old), old);
  const { text } = renderFile({ contexts }, sections);
  const changes = textChanges(disk, text, meaningOf);
  const isNew = changes.length > 0;
  return {
    commands: [],
    reload: reloadOf(input, text, sections),
    files: isNew ? [{ path: config.configFilePath, changes }] : [],
    notes: [
      ...desired.issues.map(({ service, instance, reason }) =>
        [service, instance, reason].filter((part) => part !== undefined).join(': '),
      ),
      ...quarantine.entries.map(({ service, reason, kept }) => `held back (${kept}): ${service}: ${reason}`),
      ...(isNew ? ['nginx looks at the file before it is written: what it rejects is held back'] : []),
      ...(config.doReloads ? [] : ['do_reloads is false: nobody reloads']),
    ],
  };
}

const nothing: GeneratorPlan = { commands: [], reload: [], files: [], notes: [] };

function reloadOf(
  { config, loaded, running, isGone, waitMs }: PlanInput,
  text: string,
  sections: readonly Section[],
): GeneratorPlan['reload'] {
  const { doReloads, reloadCommand, startCommand } = config;
  if (!doReloads || (text === running && !isGone)) return [];
  if (isGone) return [{ kind: 'start', detail: `nginx does not run: ${startCommand ?? 'it is started'}` }];
  const wait = waitMs > 0 ? `, in ${(waitMs / 1000).toFixed(1)} s (restart_interval)` : '';
  const how = `${reloadCommand ?? 'by a signal'}${wait}`;
  if (running === undefined)
    return [{ kind: 'process-not-ours', detail: `nobody saw nginx load this file: ${how}` }];
  const now = new Map(sections.map((section) => [section.service, section]));
  const changed = [...new Set([...loaded.keys(), ...now.keys()])].filter(
    (service) => linesOf(loaded.get(service)) !== linesOf(now.get(service)),
  );
  const what = changed.length === 0 ? 'the contexts changed' : `other lines of ${fewOf(changed)}`;
  return [{ kind: 'lines-changed', detail: `${what}: ${how}` }];
}

function linesOf(section: Section | undefined): string | undefined {
  return section && `${section.context}\n${section.lines.map(({ text }) => text).join('\n')}`;
}

/** Each directive after the blocks that it stands in: `http upstream web server 10.0.0.1:80;`. */
export function meaningOf(text: string): readonly string[] {
  const open: string[] = [];
  return text.split('\n').flatMap((raw) => {
    const line = raw.trim().replaceAll(/\s+/g, ' ');
    if (line === '' || line.startsWith('#')) return [];
    if (line === '}') {
      open.pop();
      return [];
    }
    const whole = [...open, line].join(' ');
    if (!line.endsWith('{')) return [whole];
    open.push(line.slice(0, -1).trim());
    return [whole];
  });
}
