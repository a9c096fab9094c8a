import {
  ConfigError,
  exitCode,
  formatIssue,
  readConfigFile,
  systemClock,
  validateConfig,
} from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';
import * as z from 'zod';

import type { CatalogView } from '../catalog/types.js';
import { configuredInstance } from '../config/fields.js';
import type { Configuration } from '../config/load.js';
import type { DiscoveryOptions } from '../config/service.js';
import type { GeneratorTable, HostSettings } from '../generators/types.js';
import type { OutputFormat } from './invocation.js';
import type { Output } from './output.js';

const catalogSchema = z.record(z.string(), z.array(configuredInstance));

/** The instances that a file lists by service. Throws ConfigError. */
export async function readCatalog(file: string): Promise<ReadonlyMap<string, readonly Instance[]>> {
  const parsed = await readConfigFile(file);
  const { value, issues } = validateConfig(parsed, catalogSchema);
  if (value === undefined) throw new ConfigError([...parsed.issues, ...issues]);
  return new Map(Object.entries(value));
}

/** What `synapse render` is asked for. */
interface RenderOptions {
  readonly generators: GeneratorTable;
  /** Undefined: each that is configured. */
  readonly only: string | undefined;
  readonly output: OutputFormat;
  /** What agent.yaml says. */
  readonly settings: HostSettings;
}

/** `synapse render`: what each generator (or `only` one) would write, on stdout; what it leaves out, on stderr. JSON holds both. */
export async function renderAll<D extends DiscoveryOptions>(
  configuration: Configuration<D>,
  view: CatalogView,
  { generators, only, output: format, settings }: RenderOptions,
  output: Output,
): Promise<number> {
  const configured = [...configuration.main.generators];
  const chosen = configured.filter(([name]) => only === undefined || name === only);
  if (chosen.length === 0) {
    const names = configured.map(([name]) => name).join(', ');
    output.err(`synapse: no generator ${only ?? ''} is configured, only ${names}`);
    return exitCode.usage;
  }
  const files: { readonly generator: string; readonly text: string; readonly notes: readonly string[] }[] =
    [];
  for (const [generator, block] of chosen) {
    const rendered = await generators.get(generator)?.render(block, view, systemClock, settings);
    if (rendered !== undefined) files.push({ generator, ...rendered });
  }
  if (format === 'json') output.out(JSON.stringify({ files }, null, 2));
  for (const { generator, text, notes } of format === 'json' ? [] : files) {
    for (const note of notes) output.err(note);
    if (chosen.length > 1) output.out(`# --- ${generator} ---`);
    output.out(text.replace(/\n$/, ''));
  }
  return exitCode.stopped;
}

/** Prints why a command could not be carried out. */
export function printIssues(error: ConfigError, output: Output): number {
  for (const issue of error.issues) output.err(formatIssue(issue));
  return exitCode.configuration;
}
