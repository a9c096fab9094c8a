import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMetrics, systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import { openSession, type ZkAuth, type ZkPath, type ZkSession } from '@smartstack/registry';
import { afterEach } from 'vitest';
import { type AgentSettings, defaultAgentSettings } from '../../packages/synapse/src/config/agentFile.ts';
import { loadConfiguration } from '../../packages/synapse/src/config/load.ts';
import type { GeneratorTable } from '../../packages/synapse/src/generators/types.ts';
import { Synapse } from '../../packages/synapse/src/synapse.ts';
import { variantsOf } from '../../packages/synapse/src/variants.ts';
import { RecordingGenerator } from '../../packages/synapse/src/testing/index.ts';
import { eventually } from '../harness/eventually.ts';
import { makeTempDir } from '../harness/tempDir.ts';

const stops = new Set<() => Promise<void>>();

/** Stops, after each test of the file, whatever it started here; the latest first. */
export function stopAfterEach(): void {
  afterEach(async () => {
    for (const stop of [...stops].reverse()) await stop();
    stops.clear();
  });
}

/** A session of the test's own, which plays the registrars. */
export async function registrar(address: string, auth: readonly ZkAuth[] = []): Promise<ZkSession> {
  const session = openSession({ hosts: [address], sessionTimeoutMs: 10_000, auth });
  stops.add(() => session.close({ deadlineMs: 500 }));
  await eventually(() => session.state.kind === 'connected', { what: 'the registrar is connected' });
  return session;
}

/** Registers an instance as nerve does; returns its path. */
export async function register(
  session: ZkSession,
  parent: ZkPath,
  name: string,
  instance: object,
): Promise<ZkPath> {
  await session.mkdirp(parent);
  const data = Buffer.from(JSON.stringify(instance));
  return session.create(`${parent}/${name}_`, data, 'ephemeral_sequential');
}

/** A synapse in this process, with its files in a folder and a generator that only records. */
export interface TestSynapse {
  readonly synapse: Synapse;
  readonly generator: RecordingGenerator;
  readonly log: RecordingLogger;
  /** Writes a file of the service directory; undefined removes it. */
  service(name: string, text: string | undefined): void;
  main(text: string): void;
  /** Resolves once the generator's last view holds exactly these addresses, in any order. */
  sees(service: string, expected: readonly string[]): Promise<void>;
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

/** The `discovery` of a service under `/s`. */
export function zookeeper(address: string, name: string, more = ''): string {
  return `discovery: {method: zookeeper, hosts: ['${address}'], path: /s/${name}${more}}\n`;
}

/** Starts a synapse on these service files, and this main file. */
export async function startSynapse(
  services: Readonly<Record<string, string>>,
  settings: Partial<AgentSettings> = {},
  top = 'haproxy: {}',
  isShadow = false,
): Promise<TestSynapse> {
  const folder = makeTempDir('synapse');
  const conf = join(folder, 'services');
  const file = join(folder, 'synapse.yaml');
  mkdirSync(conf);
  const main = (text: string): void => writeFileSync(file, `${text}\nservice_conf_dir: ${conf}\n`);
  const service = (name: string, text: string | undefined): void => {
    if (text === undefined) rmSync(join(conf, `${name}.yaml`));
    else writeFileSync(join(conf, `${name}.yaml`), text);
  };
  main(top);
  for (const [name, text] of Object.entries(services)) service(name, text);

  const generator = new RecordingGenerator();
  const generators: GeneratorTable = new Map([
    [
      'haproxy',
      {
        check: () => [],
        checkService: () => [],
        create: () => generator,
        render: () => Promise.resolve({ text: '', notes: [] }),
      },
    ],
  ]);
  const source = { file, env: {} };
  const { configuration, issues } = await loadConfiguration({ ...source, variants: variantsOf(generators) });
  if (configuration === undefined) throw new Error(JSON.stringify(issues));
  const log = new RecordingLogger();
  const metrics = createMetrics();
  const synapse = new Synapse({
    source,
    configuration,
    issues,
    settings: {
      ...defaultAgentSettings,
      zookeeper: { sessionTimeoutMs: 2_000, auth: [] },
      startupDeadlineMs: 3_000,
      ...settings,
    },
    generators,
    isShadow,
    openSession: (options) => openSession({ ...options, logger: log }),
    clock: systemClock,
    logger: log,
    metrics,
    version: 'test',
  });
  const stopping = new AbortController();
  const running = synapse.run(stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  stops.add(stop);
  return {
    synapse,
    generator,
    log,
    service,
    main,
    stop,
    sees: async (name, expected) => {
      // ZooKeeper's own order of children is that of a hash table.
      const sorted = (list: readonly string[] | undefined) => JSON.stringify(list && [...list].sort());
      const same = (): boolean => sorted(generator.addresses(name)) === sorted(expected);
      await eventually(same, { what: `${name} is ${expected.join(', ')}`, timeoutMs: 15_000 }).catch(
        (error: unknown) => {
          const seen = JSON.stringify(generator.addresses(name));
          throw new Error(`${String(error)}; it is ${seen}`, { cause: error });
        },
      );
    },
    metrics: async () => {
      synapse.refreshMetrics();
      return (await metrics.expose()).body;
    },
  };
}

/** The source of a service in the last view. */
export function sourceOf({ generator }: TestSynapse, name: string): string | undefined {
  return generator.view?.services.find((service) => service.name === name)?.source;
}
