import { resolve } from 'node:path';

import {
  ConfigError,
  type ConfigIssue,
  expandErbEnv,
  fingerprint,
  listServiceFiles,
  nextTurn,
  type ParsedFile,
  readConfigFiles,
} from '@smartstack/agent';

import { type MainFile, readMain } from './main.js';
import type { DiscoveryOptions, ServiceDefinition } from './service.js';
import { type ReadService, readService, type Variants } from './serviceReader.js';
import { type Environment, isMapping, issueAt, readSource } from './source.js';

/** The configuration in force: what the files say, and of what has errors what they said before. */
export interface Configuration<D extends DiscoveryOptions> {
  readonly main: MainFile;
  /** By name, in order: inline services first, as Ruby. */
  readonly services: ReadonlyMap<string, ServiceDefinition<D>>;
  /** Services whose definition has errors, and had them before: there is nothing to go on with but what runs. */
  readonly unreadable: readonly string[];
  /** Files and directories whose change may change the configuration. */
  readonly paths: readonly string[];
  /** The fingerprint of `paths` from before they were read: what changed meanwhile is read again. */
  readonly seen: string;
}

export interface LoadOptions<D extends DiscoveryOptions> {
  readonly file: string;
  readonly env: Environment;
  readonly variants: Variants<D>;
  /** What is in force now: definitions in it outlive bad new ones. */
  readonly previous?: Configuration<D> | undefined;
}

export interface LoadResult<D extends DiscoveryOptions> {
  /** Undefined only without `previous`: then there is nothing to run on. */
  readonly configuration: Configuration<D> | undefined;
  readonly issues: readonly ConfigIssue[];
}

/** Reads the main file and the service directory. Never throws: whatever is wrong is in `issues`, all at once. */
export async function loadConfiguration<D extends DiscoveryOptions>(
  options: LoadOptions<D>,
): Promise<LoadResult<D>> {
  const { file, env, variants, previous } = options;
  const seenFile = await fingerprint([file]);
  const parsed = await readSource(file, env);
  await variants.addGenerators?.(parsed);
  const { main, attempt, issues: mainIssues } = readMain(parsed, variants, previous?.main);
  const basis = main ?? attempt;
  if (basis === undefined) return { configuration: undefined, issues: mainIssues };
  const generators = [...basis.generators.keys()];
  const inline = await readInline(basis, variants, generators);
  const folders = basis.serviceConfDir === undefined ? [] : [resolve(basis.serviceConfDir)];
  const seenFolders = await Promise.all(folders.map((folder) => fingerprint([folder])));
  const directory = await readDirectory(basis, options, generators);
  const issues = [...mainIssues, ...inline.flatMap((one) => one.issues), ...directory.issues];
  if (main === undefined) return { configuration: undefined, issues };

  const services = new Map<string, ServiceDefinition<D>>();
  const read = [...inline, ...directory.services];
  for (const { name, definition = previous?.services.get(name) } of read)
    // Not deleted first: a file overrides its inline namesake in its place, as in Ruby.
    if (definition !== undefined) services.set(name, definition);
  if (!directory.listed)
    for (const [name, definition] of previous?.services ?? [])
      if (!services.has(name)) services.set(name, definition);
  const unlisted = directory.listed ? [] : (previous?.unreadable ?? []);
  const names = new Set([...read.map(({ name }) => name), ...unlisted]);
  const unreadable = [...names].filter((name) => !services.has(name));
  const watched = { paths: [file, ...folders], seen: [seenFile, ...seenFolders].join('\n') };
  return { configuration: { main, services, unreadable, ...watched }, issues };
}

/** Services are read so many at a time: thousands of them leave everything else its turn. */
const servicesPerTurn = 16;

/** Reads `sources` one after the other, in their order. */
async function readAll<S, R>(
  sources: readonly S[],
  read: (source: S) => R | Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (const source of sources) {
    results.push(await read(source));
    if (results.length % servicesPerTurn === 0) await nextTurn();
  }
  return results;
}

function readInline<D extends DiscoveryOptions>(
  { parsed }: MainFile,
  variants: Variants<D>,
  generators: readonly string[],
): Promise<readonly ReadService<D>[]> {
  const services = isMapping(parsed.value) ? parsed.value.services : undefined;
  return readAll(Object.entries(isMapping(services) ? services : {}), ([name, raw]) =>
    readService(name, { parsed, path: ['services', name] }, raw, variants, generators),
  );
}

async function readFile<D extends DiscoveryOptions>(
  name: string,
  parsed: ParsedFile,
  variants: Variants<D>,
  generators: readonly string[],
): Promise<ReadService<D>> {
  if (parsed.value === undefined) return { name, definition: undefined, issues: parsed.issues };
  const read = await readService(name, { parsed, path: [] }, parsed.value, variants, generators);
  return { ...read, issues: [...parsed.issues, ...read.issues] };
}

interface Directory<D extends DiscoveryOptions> {
  readonly services: readonly ReadService<D>[];
  readonly issues: readonly ConfigIssue[];
  /** False when the directory could not be read: then nobody knows which services it defines. */
  readonly listed: boolean;
}

async function readDirectory<D extends DiscoveryOptions>(
  main: MainFile,
  { env, variants }: LoadOptions<D>,
  generators: readonly string[],
): Promise<Directory<D>> {
  if (main.serviceConfDir === undefined) return { services: [], issues: [], listed: true };
  try {
    // Ruby's glob is `*.{json,yaml}`: of two files for one service the yaml counts.
    const files = await listServiceFiles(resolve(main.serviceConfDir), ['json', 'yaml']);
    const paths = files.map(({ file }) => file);
    const parsed = await readConfigFiles(paths, (file, text) => expandErbEnv(file, text, env));
    const services = await readAll([...parsed.entries()], ([index, one]) =>
      readFile(files[index]?.service ?? '', one, variants, generators),
    );
    return { services, issues: services.flatMap(({ issues }) => issues), listed: true };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const place = { parsed: main.parsed, path: ['service_conf_dir'] };
    const issues = error.issues.map(({ message, file }) => issueAt(place, 'error', `${file}: ${message}`));
    return { services: [], issues, listed: false };
  }
}

/** The services to run: those with `load_test_concurrency` as that many copies, `name_0` and so on. */
export function expandCopies<D extends DiscoveryOptions>(
  services: ReadonlyMap<string, ServiceDefinition<D>>,
): ReadonlyMap<string, ServiceDefinition<D>> {
  const expanded = [...services.values()].flatMap((service): [string, ServiceDefinition<D>][] => {
    const { name, copies } = service;
    if (copies === undefined) return [[name, service]];
    return Array.from({ length: copies }, (_, index) => {
      const copy = `${name}_${index}`;
      return [copy, { ...service, name: copy }];
    });
  });
  return new Map(expanded);
}
