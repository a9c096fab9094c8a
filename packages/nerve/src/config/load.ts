import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  ConfigError,
  type ConfigIssue,
  listServiceFiles,
  type ParsedFile,
  readConfigFile,
} from '@smartstack/agent';
import { nodeNameProblem } from '@smartstack/registry';
import { validateLeniently } from './lenient.js';
import { readService, type ServiceSource } from './readService.js';
import { type MainConfig, mainSchema } from './schema.js';
import type { ServiceDefinition } from './service.js';

/** Everything that a main file and its directory say. */
export interface LoadedConfig {
  /** Undefined when the main file itself, or its directory, cannot be used: then nothing is known. */
  readonly main: (MainConfig & { readonly instanceId: string }) | undefined;
  /** Where the services' own files are; known even when `main` is not. */
  readonly directory: string | undefined;
  /** The services that can run. */
  readonly services: ReadonlyMap<string, ServiceDefinition>;
  /** Names whose definition has an error. What runs under such a name should go on. */
  readonly broken: ReadonlySet<string>;
  readonly issues: readonly ConfigIssue[];
  /** Errors for which an agent refuses to start: all but those in a service's own file. */
  readonly fatal: readonly ConfigIssue[];
}

/** What the command line and the environment say about the configuration. */
export interface LoadOptions {
  readonly file: string;
  /** Goes before the file's own, unless empty. */
  readonly instanceId?: string | undefined;
}

/** Reads the whole configuration. Whatever is wrong with it is in `issues`, each with its place. */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const parsed = await readConfigFile(options.file);
  const { value, issues } = validateLeniently(parsed, mainSchema);
  const id = chooseInstanceId(options, value?.instanceId, parsed);
  const dir = serviceDirectory(options.file, value?.serviceConfDir);
  const directory = await readDirectory(dir);
  const general = [
    ...parsed.issues,
    ...issues,
    ...(value === undefined ? [] : id.issues),
    ...directory.issues,
  ];
  if (value === undefined || id.value === undefined || directory.sources === undefined) {
    return {
      main: undefined,
      directory: dir,
      services: new Map(),
      broken: new Set(),
      issues: general,
      fatal: errors(general),
    };
  }
  const inline = inlineSources(parsed, value.services ?? {}, directory.sources);
  const instanceId = id.value;
  const read = (source: ServiceSource) => ({ source, ...readService(source, instanceId) });
  const [mine, files] = [inline.map(read), directory.sources.map(read)];
  const all = [...mine, ...files];
  return {
    main: { ...value, instanceId },
    directory: dir,
    services: new Map(all.flatMap(({ definitions }) => definitions ?? []).map((one) => [one.name, one])),
    broken: new Set(all.filter((one) => one.definitions === undefined).map(({ source }) => source.name)),
    issues: [...general, ...all.flatMap((one) => one.issues)],
    fatal: errors([...general, ...mine.flatMap((one) => one.issues)]),
  };
}

function errors(issues: readonly ConfigIssue[]): readonly ConfigIssue[] {
  return issues.filter(({ severity }) => severity === 'error');
}

function chooseInstanceId(
  { instanceId: given }: LoadOptions,
  own: string | undefined,
  parsed: ParsedFile,
): { readonly value: string | undefined; readonly issues: readonly ConfigIssue[] } {
  const refuse = (message: string) => ({
    value: undefined,
    issues: [
      {
        file: parsed.file,
        ...parsed.at([]),
        path: 'instance_id',
        message,
        severity: 'error',
      } satisfies ConfigIssue,
    ],
  });
  const value = given || own;
  if (value === undefined) return refuse('Required, here or with -i or NERVE_INSTANCE_ID');
  const problem = given ? nodeNameProblem(`${given}_`) : undefined;
  return problem === undefined ? { value, issues: [] } : refuse(`From -i or NERVE_INSTANCE_ID: ${problem}`);
}

/**
 * The directory of definitions. A relative one starts at the working directory, as with airbnb's nerve;
 * where that does not exist, beside the main file.
 */
export function serviceDirectory(file: string, dir: string | undefined): string | undefined {
  if (dir === undefined) return undefined;
  const beside = resolve(dirname(file), dir);
  return !existsSync(dir) && existsSync(beside) ? beside : resolve(dir);
}

async function readDirectory(dir: string | undefined): Promise<{
  readonly sources: readonly ServiceSource[] | undefined;
  readonly issues: readonly ConfigIssue[];
}> {
  if (dir === undefined) return { sources: [], issues: [] };
  try {
    const files = await listServiceFiles(dir);
    // The last of two files for one service counts, as in Ruby.
    const last = [...new Map(files.map(({ service, file }) => [service, file]))];
    const sources = last.map(async ([name, file]) => ({ name, parsed: await readConfigFile(file), at: [] }));
    return { sources: await Promise.all(sources), issues: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { sources: undefined, issues: error.issues };
  }
}

/** A file of the directory goes before a definition in the main file, which is then not even looked at. */
function inlineSources(
  parsed: ParsedFile,
  services: Readonly<Record<string, unknown>>,
  files: readonly ServiceSource[],
): readonly ServiceSource[] {
  const overridden = new Set(files.map(({ name }) => name));
  return Object.keys(services)
    .filter((name) => !overridden.has(name))
    .map((name) => ({ name, parsed, at: ['services', name] }));
}
