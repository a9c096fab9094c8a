import { resolve } from 'node:path';

import {
  type Clock,
  type ConfigIssue,
  environmentSurprises,
  listServiceFiles,
  type ParsedFile,
  readConfigText,
  serviceFileSurprises,
  yamlSurprises,
} from '@smartstack/agent';

import type { CatalogView, Finding } from '../catalog/types.js';
import { blockIssues, type Environment, isMapping, type Place, readSource } from '../config/source.js';
import type { GeneratorTable } from '../generators/types.js';
import { type LintedService, previousBackendsIssue, serviceIssues } from './serviceRules.js';

/** What lint works on, beside the issues that reading found. */
export interface LintOptions {
  readonly file: string;
  readonly env: Environment;
  readonly generators: GeneratorTable;
  /** Top-level blocks that passed their check. */
  readonly blocks: ReadonlyMap<string, unknown>;
  /** The services that can run, with an instance each. */
  readonly view: CatalogView;
  readonly clock: Clock;
}

interface Files {
  readonly main: ParsedFile;
  readonly services: readonly LintedService[];
  readonly issues: readonly ConfigIssue[];
}

/** What in the configuration does not do what it seems to: warnings with their places, and what HAProxy rejects. */
export async function lint(options: LintOptions): Promise<readonly ConfigIssue[]> {
  const { file, env, clock } = options;
  const { main, services, issues } = await readFiles(file, env);
  const found = [...options.blocks].map(async ([name, block]) => {
    const known = new Set(options.view.services.map((each) => each.name));
    const blocks = new Map(
      services.flatMap((service) =>
        known.has(service.name) ? [[service.name, service.raw[name] ?? {}]] : [],
      ),
    );
    const kind = options.generators.get(name);
    const findings = await kind?.lint?.({ block, services: blocks, view: options.view }, clock);
    return place(findings ?? [], name, main, services);
  });
  return [
    ...environmentSurprises(env, ['DEBUG']),
    ...issues,
    ...previousBackendsIssue(services),
    ...services.flatMap(serviceIssues),
    ...(await Promise.all(found)).flat(),
  ];
}

function place(
  findings: readonly Finding[],
  generator: string,
  main: ParsedFile,
  services: readonly LintedService[],
): readonly ConfigIssue[] {
  return findings.flatMap(({ service, ...issue }) => {
    const owner = services.findLast(({ name }) => name === service);
    const at: Place =
      owner === undefined
        ? { parsed: main, path: [generator] }
        : { ...owner.place, path: [...owner.place.path, generator] };
    return blockIssues(at, [issue]);
  });
}

async function readFiles(file: string, env: Environment): Promise<Files> {
  const main = await readSource(file, env);
  const value = isMapping(main.value) ? main.value : {};
  const inline = isMapping(value.services) ? value.services : {};
  const dir = typeof value.service_conf_dir === 'string' ? resolve(value.service_conf_dir) : undefined;
  const listed = dir === undefined ? [] : await listServiceFiles(dir, ['json', 'yaml']).catch(() => []);
  // Of two files for one service the last counts, and before that what the main file says.
  const files = new Map(listed.map((one) => [one.service, one.file]));
  const services: LintedService[] = Object.entries(inline).flatMap(([name, raw]) =>
    isMapping(raw) && !files.has(name)
      ? [{ name, raw, place: { parsed: main, path: ['services', name] } }]
      : [],
  );
  for (const [name, path] of files) {
    const parsed = await readSource(path, env);
    if (isMapping(parsed.value)) services.push({ name, raw: parsed.value, place: { parsed, path: [] } });
  }
  const surprises = await Promise.all([file, ...files.values()].map(scalars));
  const folder =
    dir === undefined ? [] : await serviceFileSurprises(dir, ['json', 'yaml'], Object.keys(inline));
  return { main, services, issues: [...surprises.flat(), ...folder] };
}

/** ERB in it is text here: what it stands for does not change what the other lines mean. */
async function scalars(file: string): Promise<readonly ConfigIssue[]> {
  const read = await readConfigText(file);
  return read.ok ? yamlSurprises(file, read.text.replaceAll(/<%[\s\S]*?%>/g, quiet)) : [];
}

function quiet(tag: string): string {
  return tag.replaceAll(/[^\n]/g, 'x');
}
