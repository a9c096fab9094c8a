import { dirname, resolve } from 'node:path';

import { type ConfigIssue, type ParsedFile, type StatsdSettings, validateConfig } from '@smartstack/agent';
import * as z from 'zod';

import { port } from './fields.js';
import type { DiscoveryOptions } from './service.js';
import type { Variants } from './serviceReader.js';
import { blockIssues, hasErrors, isMapping, issueAt } from './source.js';

/** Where and how much is sent to DogStatsD. Ruby reads the port with `to_i`. */
export const statsdKeys = z.looseObject({
  host: z.string().min(1).nullish().describe('Where it listens.').meta({ default: 'localhost' }),
  port: port.nullish().describe('Its UDP port.').meta({ default: 8125 }),
  sample_rate: z
    .record(z.string(), z.number().min(0).max(1))
    .nullish()
    .describe('Share of a metric that is sent, by its name: 0 to 1. 1 for those that are not named.'),
});

/** The top level of the main file, except its services. */
export interface MainFile {
  readonly parsed: ParsedFile;
  /** Blocks of the generators that run, as read. */
  readonly generators: ReadonlyMap<string, unknown>;
  readonly serviceConfDir: string | undefined;
  /** Undefined: nothing is sent. */
  readonly statsd: StatsdSettings | undefined;
}

/** What became of the main file. */
export interface ReadMain {
  /** To run on. */
  readonly main: MainFile | undefined;
  /** What the file means as far as it can be understood, to find the issues of its services as well. */
  readonly attempt: MainFile | undefined;
  readonly issues: readonly ConfigIssue[];
}

/** Keys of the top level that are not generators. */
function shape(generators: Iterable<string>) {
  const blocks = Object.fromEntries([...generators].map((name) => [name, z.unknown().optional()]));
  return z.strictObject({
    services: z.record(z.string(), z.unknown()).nullish(),
    service_conf_dir: z.string().min(1).optional(),
    statsd: statsdKeys.nullish(),
    ...blocks,
  });
}

/**
 * Reads the top level. An unknown key is an error, as in Ruby, where it is taken for a generator. A file
 * with such errors leaves `previous` in force; a generator's block with errors leaves its previous block.
 */
export function readMain<D extends DiscoveryOptions>(
  parsed: ParsedFile,
  variants: Variants<D>,
  previous: MainFile | undefined,
): ReadMain {
  if (parsed.value === undefined) return { main: previous, attempt: previous, issues: parsed.issues };
  const names = [...variants.generators.keys()];
  const schema: z.ZodType<TopLevel> = shape(names);
  const { value, issues: found } = validateConfig(parsed, schema);
  const raw = isMapping(parsed.value) ? parsed.value : {};
  const configured = names.filter((name) => Object.hasOwn(raw, name));
  const blocks = configured.map((name) => readBlock(name, parsed, raw[name], variants, previous));
  const issues = [
    ...parsed.issues,
    ...found,
    ...blocks.flatMap((block) => block.issues),
    ...(value !== undefined && configured.length === 0
      ? [issueAt({ parsed, path: [] }, 'error', `No generator is configured: add ${names.join(' or ')}`)]
      : []),
  ];
  const usable = blocks.flatMap(({ name, block }): [string, unknown][] =>
    block === undefined ? [] : [[name, block]],
  );
  const directory = value?.service_conf_dir ?? raw.service_conf_dir;
  const serviceConfDir = typeof directory === 'string' ? directory : undefined;
  const attempt = {
    parsed,
    generators: new Map(configured.map((name) => [name, raw[name]])),
    serviceConfDir,
    statsd: statsdOf(value),
  };
  if (value === undefined || usable.length === 0) return { main: previous, attempt, issues };
  const main = { parsed, generators: new Map(usable), serviceConfDir, statsd: statsdOf(value) };
  return { main, attempt: main, issues };
}

interface TopLevel {
  readonly service_conf_dir?: string | undefined;
  readonly statsd?: z.output<typeof statsdKeys> | null | undefined;
}

/** The key asks for it; Ruby sends in any case. */
function statsdOf(value: TopLevel | undefined): StatsdSettings | undefined {
  const keys = value?.statsd;
  if (keys === undefined || keys === null) return undefined;
  const { host, port: at, sample_rate: sampleRates } = keys;
  return { host: host ?? 'localhost', port: at ?? 8125, ...(sampleRates && { sampleRates }) };
}

interface ReadBlock {
  readonly name: string;
  /** Undefined when it has errors and there is none before it. */
  readonly block: unknown;
  readonly issues: readonly ConfigIssue[];
}

function readBlock<D extends DiscoveryOptions>(
  name: string,
  parsed: ParsedFile,
  raw: unknown,
  variants: Variants<D>,
  previous: MainFile | undefined,
): ReadBlock {
  // `haproxy:` with nothing below it asks for all the defaults.
  const block = raw ?? {};
  const rules = variants.generators.get(name);
  const found = rules?.check(block) ?? [];
  const issues = [
    ...blockIssues({ parsed, path: [name] }, found),
    ...folderIssues(name, parsed, rules?.jsonFolders?.(block) ?? []),
  ];
  return { name, block: hasErrors(issues) ? previous?.generators.get(name) : block, issues };
}

/** Where the configuration itself is, a generator would take it for its own files: and remove it. */
function folderIssues(
  name: string,
  parsed: ParsedFile,
  folders: readonly { readonly path: readonly PropertyKey[]; readonly directory: string }[],
): readonly ConfigIssue[] {
  const raw = isMapping(parsed.value) ? parsed.value.service_conf_dir : undefined;
  const services = typeof raw === 'string' ? resolve(raw) : undefined;
  const main = parsed.file.endsWith('.json') ? dirname(resolve(parsed.file)) : undefined;
  return folders.flatMap(({ path, directory }) => {
    if (directory !== services && directory !== main) return [];
    const message = `The configuration is in ${directory}: choose a folder that nothing else is in`;
    return [issueAt({ parsed, path: [name, ...path] }, 'error', message)];
  });
}
