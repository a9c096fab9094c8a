import { type ConfigIssue, formatPath, type ParsedFile } from '@smartstack/agent';
import type { Asked } from './asked.js';
import { checkProblems } from '../checks/index.js';
import type { Plugins } from '@smartstack/agent/plugins';
import { kindOf, placeOf } from '../reporters/index.js';
import { validateLeniently } from './lenient.js';
import { usePlugins } from './pluginChecks.js';
import { usePluginReporters } from './pluginReporters.js';
import { type ServiceDefinition, serviceDefinitions, serviceSchema } from './service.js';
import { type Remark, remarks } from './remarks.js';

/** One service's definition: its name and where it stands. */
export interface ServiceSource {
  readonly name: string;
  readonly parsed: ParsedFile;
  /** Empty for a file of its own. */
  readonly at: readonly PropertyKey[];
}

/** Reads one service's definition. No definitions: it has errors. */
export async function readService(
  { name, parsed, at }: ServiceSource,
  instanceId: string,
  asked: Asked,
  plugins: Plugins,
): Promise<{
  readonly definitions: readonly ServiceDefinition[] | undefined;
  readonly issues: readonly ConfigIssue[];
}> {
  const { value, issues: found } = validateLeniently(parsed, serviceSchema, at);
  // The main file's own issues were reported with the main file.
  const issues = at.length === 0 ? [...parsed.issues, ...found] : [...found];
  if (value === undefined) return { definitions: undefined, issues };
  const place = (
    { key, message }: Remark,
    severity: ConfigIssue['severity'],
    below: readonly PropertyKey[] = [],
  ): ConfigIssue => {
    const path = [...at, ...below, ...key.split('.')];
    return { file: parsed.file, ...parsed.at(path), path: formatPath(path), message, severity };
  };
  const used = await usePlugins(value.checks, { parsed, at: [...at, 'checks'], plugins });
  const published = await usePluginReporters(value.reporters, { parsed, at: [...at, 'reporters'], plugins });
  const complete = { ...value, checks: [...used.checks], reporters: [...published.reporters] };
  const definitions = serviceDefinitions(name, complete, instanceId);
  // Copies differ in their names only.
  const errors: ConfigIssue[] = [];
  const places = new Set<string>();
  for (const choice of definitions[0]?.reporters ?? []) {
    const wrong = await kindOf(choice).problems(choice.settings, asked);
    errors.push(...wrong.map((problem) => place(problem, 'error', choice.at)));
    const message = 'Another reporter of the service publishes at the same place';
    if (places.has(placeOf(choice))) errors.push(place({ key: 'type', message }, 'error', choice.at));
    places.add(placeOf(choice));
  }
  for (const [index, check] of value.checks.entries()) {
    const wrong = await checkProblems(check, asked);
    errors.push(...wrong.map((problem) => place(problem, 'error', ['checks', index])));
  }
  const ofModules = [...used.issues, ...published.issues];
  issues.push(...errors, ...ofModules);
  const unusable = errors.length > 0 || ofModules.some(({ severity }) => severity === 'error');
  issues.push(...remarks(value).map((remark) => place(remark, 'warning', remark.below)));
  return { definitions: unusable ? undefined : definitions, issues };
}
