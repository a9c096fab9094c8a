import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  type Clock,
  ConfigError,
  type ConfigIssue,
  describeError,
  formatPath,
  listServiceFiles,
  nextTurn,
  type ParsedFile,
  readConfigFile,
  readConfigFiles,
} from '@smartstack/agent';
import { nodeNameProblem } from '@smartstack/registry';
import * as z from 'zod';
import { noPlugins, type Plugins } from '@smartstack/agent/plugins';
import { Asked } from './asked.js';
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
  /** Errors for which an agent refuses to start: all but those in a service's own file, and files that hang. */
  readonly fatal: readonly ConfigIssue[];
  /** Resolves when a file could be read after all that hung; undefined where none did. */
  readonly hangOver: Promise<void> | undefined;
}

/** What the command line and the environment say about the configuration. */
export interface LoadOptions {
  readonly file: string;
  /** Goes before the file's own, unless empty. */
  readonly instanceId?: string | undefined;
  /** Loads the modules that checks name; without it none is. */
  readonly plugins?: Plugins;
  readonly clock?: Clock;
}

/** Definitions are read so many at a time. */
const servicesPerTurn = 16;

/** Reads the whole configuration. Whatever is wrong with it is in `issues`, each with its place. */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const parsed = await readConfigFile(options.file);
  const { value, issues } = validateLeniently(parsed, mainSchema);
  // The services are looked at even when the keys beside them are wrong: all issues at once.
  const written = mainShape.safeParse(parsed.value).data ?? {};
  const id = chooseInstanceId(options, value, parsed);
  const dir = await serviceDirectory(options.file, written.service_conf_dir);
  const directory = await readDirectory(dir);
  const general = [...parsed.issues, ...issues, ...id.issues, ...directory.issues];
  const files = directory.sources ?? [];
  const inlined = inlineSources(parsed, written.services ?? {}, files);
  const asked = new Asked(options.clock);
  const sources = [...inlined, ...files];
  const all = await readServices(sources, id.value ?? '', asked, options.plugins ?? noPlugins);
  const inline = all.slice(0, inlined.length);
  const known = value !== undefined && id.value !== undefined && directory.sources !== undefined;
  return {
    main: known ? { ...value, instanceId: id.value } : undefined,
    directory: dir,
    services: new Map(
      known ? all.flatMap(({ definitions }) => definitions ?? []).map((one) => [one.name, one]) : [],
    ),
    broken: new Set(all.filter((one) => one.definitions === undefined).map(({ source }) => source.name)),
    issues: [...general, ...all.flatMap((one) => one.issues)],
    fatal: errors([...general, ...inline.flatMap((one) => one.issues)]).filter(
      ({ message }) => !asked.isHang(message),
    ),
    hangOver: asked.over,
  };
}

/** Where the services are, in a file that may be wrong otherwise. */
const mainShape = z.object({
  services: z.record(z.string(), z.unknown()).optional().catch(undefined),
  service_conf_dir: z.string().min(1).optional().catch(undefined),
});

function errors(issues: readonly ConfigIssue[]): readonly ConfigIssue[] {
  return issues.filter(({ severity }) => severity === 'error');
}

/** Says nothing about a file that has issues already: its own id may be one of them. */
function chooseInstanceId(
  { instanceId: given }: LoadOptions,
  main: MainConfig | undefined,
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
  const value = given || main?.instanceId;
  if (value === undefined && main === undefined) return { value, issues: [] };
  if (value === undefined) return refuse('Required, here or with -i or NERVE_INSTANCE_ID');
  const problem = given ? nodeNameProblem(`${given}_`) : undefined;
  return problem === undefined ? { value, issues: [] } : refuse(`From -i or NERVE_INSTANCE_ID: ${problem}`);
}

/**
 * The directory of definitions. A relative one starts at the working directory, as with airbnb's nerve;
 * where that does not exist, beside the main file.
 */
async function serviceDirectory(file: string, dir: string | undefined): Promise<string | undefined> {
  if (dir === undefined) return undefined;
  const beside = resolve(dirname(file), dir);
  return !(await exists(dir)) && (await exists(beside)) ? beside : resolve(dir);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** One service after the other: thousands of them leave everything else its turn. */
async function readServices(
  sources: readonly ServiceSource[],
  instanceId: string,
  asked: Asked,
  plugins: Plugins,
) {
  const read = [];
  for (const source of sources) {
    read.push({ source, ...(await readOrIssue(source, instanceId, asked, plugins)) });
    if (read.length % servicesPerTurn === 0) await nextTurn();
  }
  return read;
}

/** Whatever a module does while a service is read is an issue of that service. */
async function readOrIssue(source: ServiceSource, instanceId: string, asked: Asked, plugins: Plugins) {
  try {
    return await readService(source, instanceId, asked, plugins);
  } catch (error) {
    const { parsed, at } = source;
    const issue = {
      file: parsed.file,
      ...parsed.at(at),
      path: formatPath(at),
      message: describeError(error),
    };
    return { definitions: undefined, issues: [{ ...issue, severity: 'error' as const }] };
  }
}

async function readDirectory(dir: string | undefined): Promise<{
  readonly sources: readonly ServiceSource[] | undefined;
  readonly issues: readonly ConfigIssue[];
}> {
  if (dir === undefined) return { sources: [], issues: [] };
  try {
    const files = await listServiceFiles(dir);
    // The last of two files for one service counts, as in Ruby.
    const last = new Map(files.map(({ service, file }) => [service, file]));
    const parsed = await readConfigFiles([...last.values()]);
    const names = [...last.keys()];
    return { sources: parsed.map((one, i) => ({ name: names[i] ?? '', parsed: one, at: [] })), issues: [] };
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
