import { AgentError, type Clock, ConfigError, describeError, exitCode } from '@smartstack/agent';
import type { Plugins } from '@smartstack/agent/plugins';
import type { Instance } from '@smartstack/registry';

import { type Environment, load, startable } from '../allFiles.js';
import { expandCopies } from '../config/load.js';
import type { GeneratorDiff, GeneratorTable } from '../generators/types.js';
import { viewOf } from '../viewOf.js';
import type { Invocation } from './invocation.js';
import type { Output } from './output.js';
import { printIssues, readCatalog } from './render.js';

/** What comparing needs. */
export interface DiffContext {
  readonly env: Environment;
  readonly generators: GeneratorTable;
  readonly clock: Clock;
  readonly output: Output;
  /** Loads the modules that the configuration names. */
  readonly plugins?: Plugins;
}

/** `synapse diff`: 0 when the live files mean what ours would, 1 when something differs. */
export async function diffLiveFiles(
  { files, catalogFile, haproxyFile, stateFile, output: format }: Extract<Invocation, { kind: 'diff' }>,
  { env, generators, clock, output, plugins }: DiffContext,
): Promise<number> {
  try {
    const { configuration, settings } = startable(await load(files, env, generators, plugins));
    const discovered: ReadonlyMap<string, readonly Instance[]> =
      catalogFile === undefined ? new Map() : await readCatalog(catalogFile);
    const view = viewOf(configuration, discovered);
    const definitions = [...expandCopies(configuration.services)];
    const diffs: (GeneratorDiff & { readonly generator: string })[] = [];
    for (const [generator, block] of configuration.main.generators) {
      const services = new Map(definitions.map(([name, { rules }]) => [name, rules.blocks[generator]]));
      const isDiscovered = catalogFile !== undefined;
      const input = { block, services, view, isDiscovered, haproxyFile, stateFile };
      const diff = await generators.get(generator)?.diff?.(input, clock, settings);
      if (diff !== undefined) diffs.push({ generator, ...diff });
    }
    const isSame = diffs.every(
      ({ changes, state, accepted }) => changes.length + state.length + accepted.length === 0,
    );
    if (format === 'json') output.out(JSON.stringify({ same: isSame, generators: diffs }, null, 2));
    else for (const line of diffs.flatMap(page)) output.out(line.replaceAll(/\p{Cc}/gu, ' '));
    return isSame ? exitCode.stopped : exitCode.failure;
  } catch (error) {
    if (error instanceof ConfigError) return printIssues(error, output);
    if (!(error instanceof AgentError)) throw error;
    output.err(`synapse: ${describeError(error)}`);
    return exitCode.configuration;
  }
}

function page(diff: GeneratorDiff & { readonly generator: string }): readonly string[] {
  const { live, changes, harmless, accepted, state, notes } = diff;
  const sections = changes.flatMap((section) => {
    const title = section.title === '' ? 'the file' : section.title;
    return [
      `${title}: ${section.kind}`,
      ...section.changes.map(
        ({ op, text, line }) => `  ${op} ${text}${op === '-' ? `  (line ${line})` : ''}`,
      ),
      ...section.notes.map((note) => `  ${note}`),
    ];
  });
  return [
    changes.length === 0
      ? `${live}: no section would change`
      : `${live}: ${changes.length} ${changes.length === 1 ? 'section' : 'sections'} would change`,
    ...sections,
    ...accepted.map(
      ({ service, section, line }) =>
        `newly in force: ${service} ${section}: ${line} (Ruby's synapse drops it)`,
    ),
    ...state.map((line) => `state: ${line}`),
    ...harmless.map((line) => `the same: ${line}`),
    ...notes.map((line) => `note: ${line}`),
  ];
}
