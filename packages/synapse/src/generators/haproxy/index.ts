import { hostname as systemHostname } from 'node:os';
import { AgentError, type Clock } from '@smartstack/agent';
import type { BlockIssue, CatalogView, Generator } from '../../catalog/types.js';
import type { GeneratorContext, GeneratorKind, Rendered } from '../types.js';
import { readHaproxyBlock, readServiceBlock } from './block/blocks.js';
import { desiredState } from './desired/desired.js';
import { HaproxyGenerator } from './generator.js';
import { createHaproxyMetrics } from './haproxyMetrics.js';
import { HostResolver, type Lookup } from './hosts.js';
import { emptyMemory } from './desired/memory.js';
import { render } from './desired/render.js';
import type { HaproxyConfig } from './block/schema.js';
import { runCommand } from './process/command.js';
import { defaultGeneratorTiming, type GeneratorTiming } from './wiring.js';

/** Everything the generator needs; what is optional has the product's defaults. */
export interface CreateHaproxyGeneratorOptions extends GeneratorContext {
  /** The top-level `haproxy` block, which passed `check`. */
  readonly block: unknown;
  /** Seeds the order of servers where the block has no seed of its own. */
  readonly hostname?: string;
  readonly timing?: Partial<GeneratorTiming>;
  readonly random?: () => number;
  readonly lookup?: Lookup;
}

function configOf(block: unknown, hostname: string): HaproxyConfig {
  const { config, issues } = readHaproxyBlock(block, hostname);
  if (config !== undefined) return config;
  const problems = issues.map(({ path, message }) => `${['haproxy', ...path].join('.')}: ${message}`);
  throw new AgentError('config', problems.join('; '));
}

/** Creates the HAProxy generator. Throws AgentError `config` on a block that has errors; does no IO yet. */
export function createHaproxyGenerator(options: CreateHaproxyGeneratorOptions): Generator {
  const {
    block,
    clock,
    logger,
    metrics,
    lookup,
    random = Math.random,
    hostname = systemHostname(),
  } = options;
  return new HaproxyGenerator({
    ...{ clock, logger, random },
    config: configOf(block, hostname),
    readConfig: (next) => readHaproxyBlock(next, hostname).config,
    metrics: createHaproxyMetrics(metrics),
    timing: { ...defaultGeneratorTiming, ...options.timing },
    ...(lookup && { lookup }),
  });
}

/** How long `render` waits for the DNS in all, in milliseconds. */
const renderLookupMs = 5_000;

async function renderView(
  block: unknown,
  view: CatalogView,
  clock: Clock,
  lookup?: Lookup,
): Promise<Rendered> {
  const config = configOf(block, systemHostname());
  const timing = { deadlineMs: renderLookupMs, retryMs: 2 * renderLookupMs };
  const onChange = (): void => undefined;
  const hosts = new HostResolver({ clock, onChange, ...timing, ...(lookup && { lookup }) });
  const addresses = await hosts.resolve(
    view.services.flatMap(({ instances }) => instances.map(({ host }) => host)),
  );
  const unresolved = [...hosts.problems].map(
    ([host, problem]) => `warning: cannot resolve ${host}: ${problem}`,
  );
  // Forgets the names, and with them the timers that would ask again.
  await hosts.resolve([]);
  const { desired, issues } = desiredState(config, view, emptyMemory, addresses, 0);
  const notes = issues.map(({ severity, reason, service, instance }) =>
    [severity, service, instance, reason].filter((part) => part !== undefined).join(': '),
  );
  return { text: render(desired), notes: [...unresolved, ...notes] };
}

/** Without a haproxy there is nothing to start, or no check of what is written. */
async function examine(block: unknown, clock: Clock): Promise<readonly BlockIssue[]> {
  const { managed, doWrites, checkCommand, doChecks, haproxyBinary } = configOf(block, '');
  const checksWithIt = doWrites && !(doChecks && checkCommand !== undefined);
  if (!managed && !checksWithIt) return [];
  const { exitCode, problem, output } = await runCommand(haproxyBinary, ['-v'], { clock, timeoutMs: 5_000 });
  if (exitCode === 0) return [];
  const why = problem ?? `it exits with ${exitCode ?? 'a signal'}: ${output.trim().split('\n')[0] ?? ''}`;
  const effect = managed ? 'there is no HAProxy to start' : 'new files are not checked before they are used';
  const message = `${haproxyBinary} -v does not run, so that ${effect} (${why})`;
  return [{ path: ['haproxy_binary'], message, severity: managed ? 'error' : 'warning' }];
}

const check = (block: unknown): readonly BlockIssue[] => readHaproxyBlock(block, '').issues;

/** The `haproxy` generator: its rules and its constructor. */
export const haproxyKind: GeneratorKind = {
  check,
  checkService: (_service, block) => readServiceBlock(block).issues,
  portOverride: (block) => readServiceBlock(block).config?.serverPortOverride,
  create: (block, context) => createHaproxyGenerator({ ...context, block }),
  render: renderView,
  examine,
};
