import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, createMetrics, systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { type Location, nowhere } from '../../packages/synapse/src/catalog/locality.ts';
import type { CatalogView, Generator, ReconcileOutcome } from '../../packages/synapse/src/catalog/types.ts';
import { withSeparateNames } from '../../packages/synapse/src/generators/haproxy/desired/frontendNames.ts';
import { createHaproxyGenerator } from '../../packages/synapse/src/generators/haproxy/index.ts';
import { capabilitiesOf } from '../../packages/synapse/src/generators/haproxy/plan/capabilities.ts';
import { parseServersState } from '../../packages/synapse/src/generators/haproxy/plan/observed.ts';
import type { DesiredState } from '../../packages/synapse/src/generators/haproxy/types.ts';
import type { GeneratorTiming } from '../../packages/synapse/src/generators/haproxy/wiring.ts';
import type { TrafficSettings } from '../../packages/synapse/src/traffic/types.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket, haproxyBinary, haproxyPaths, isBackend, testBase } from '../harness/haproxy.ts';
import type { Upstream } from '../harness/upstream.ts';

/** What the HAProxy that tests run can do. */
export const tested = capabilitiesOf(execFileSync(haproxyBinary, ['-v'], { encoding: 'utf8' }));

/** The state as the generator gives it to this HAProxy. */
export function suited(desired: DesiredState): DesiredState {
  return tested.separateNames ? withSeparateNames(desired) : desired;
}

/** Services of a test, by name: instances and the service's `haproxy` block. */
export type Services = Readonly<
  Record<string, { readonly instances: readonly Instance[]; readonly haproxy: unknown }>
>;

/** A view as the catalog would make it. */
function viewOf(services: Services): CatalogView {
  return {
    services: Object.entries(services).map(([name, { instances, haproxy }]) => ({
      name,
      source: 'live',
      instances,
      blocks: { haproxy },
    })),
  };
}

/** An instance at an upstream. */
export function instanceOf(
  { host, port, identity }: Pick<Upstream, 'host' | 'port' | 'identity'>,
  more: Partial<Instance> = {},
): Instance {
  return { host, port, name: identity, ...more };
}

/** A top-level block for a HAProxy in `dir`, reloaded through its master socket. */
export function topLevel(dir: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const { configFile, adminSocket, masterSocket } = haproxyPaths(dir);
  return {
    ...testBase(dir),
    bind_address: '127.0.0.1',
    haproxy_binary: haproxyBinary,
    config_file_path: configFile,
    socket_file_path: adminSocket,
    master_socket_path: masterSocket,
    state_file_path: join(dir, 'state.json'),
    restart_interval: 0,
    server_order_seed: 1,
    ...more,
  };
}

/** A generator with its background work, driven by the test instead of the reconcile loop. */
export interface GeneratorBed {
  readonly generator: Generator;
  readonly logger: RecordingLogger;
  /** Times that the generator asked to be called. */
  readonly wakes: number;
  reconcile(services: Services): Promise<ReconcileOutcome>;
  /** Reconciles as the loop would, until it is quiet: no failure, nothing asked for again. */
  settle(services: Services): Promise<ReconcileOutcome['outcome'][]>;
  /** The generator's status. */
  status(): HaproxyStatus;
  metrics(): Promise<string>;
  /** Stops the background work, as SIGTERM does. */
  stop(): Promise<void>;
}

/** The parts of the status that tests look at. */
interface HaproxyStatus {
  readonly quarantined: readonly {
    readonly culprit: unknown;
    readonly kept: string;
    readonly reason: string;
  }[];
  readonly reloadReasons: readonly { readonly kind: string; readonly detail: string }[];
  readonly processes?: readonly {
    readonly pid?: number;
    readonly info?: { readonly version: string };
    readonly lingering: readonly string[];
  }[];
  readonly oldWorkers: 'unknown' | readonly { readonly pid: number; readonly drainingSeconds: number }[];
  readonly traffic: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly issues: readonly { readonly reason: string }[];
  readonly file: { readonly problem?: string; readonly checkInMs?: number };
}

/** Starts a generator on `block`, of a host at `location`; with `traffic`, HAProxy counts latencies. */
export function startGenerator(
  block: unknown,
  timing: Partial<GeneratorTiming> = {},
  location: Location = nowhere,
  traffic?: TrafficSettings,
  clock: Clock = systemClock,
): GeneratorBed {
  const logger = new RecordingLogger();
  const metrics = createMetrics();
  const generator = createHaproxyGenerator({
    block,
    clock,
    logger,
    metrics,
    timing,
    hostname: 'test',
    location,
    ...(traffic && { traffic }),
  });
  const stop = new AbortController();
  const state = { wakes: 0 };
  const running = generator.run(() => void (state.wakes += 1), stop.signal);
  return {
    generator,
    logger,
    get wakes() {
      return state.wakes;
    },
    reconcile: (services) => generator.reconcile(viewOf(services), stop.signal),
    settle: async (services) => {
      const outcomes: ReconcileOutcome['outcome'][] = [];
      await eventually(
        async () => {
          const { wakes } = state;
          const { outcome, againInMs } = await generator.reconcile(viewOf(services), stop.signal);
          outcomes.push(outcome);
          return againInMs === undefined && outcome === 'noop' && wakes === state.wakes;
        },
        { what: 'the generator is quiet', timeoutMs: 15_000, intervalMs: 10 },
      );
      return outcomes;
    },
    status: () => generator.status() as HaproxyStatus,
    metrics: async () => (await metrics.expose()).body,
    stop: async () => {
      stop.abort();
      await running;
    },
  };
}

/** How many reloads there are among outcomes. */
export function reloads(outcomes: readonly ReconcileOutcome['outcome'][]): number {
  return outcomes.filter((outcome) => outcome === 'reload').length;
}

/** Servers in rotation (up, ready, with weight) of a backend, by name, as the process tells. */
export async function inRotation(socket: string, backend: string): Promise<readonly string[]> {
  const servers = parseServersState(await askSocket(socket, 'show servers state')).get(backend);
  return [...(servers?.values() ?? [])]
    .filter(({ admin, operational, weight }) => admin === 'ready' && operational === 'up' && weight > 0)
    .map(({ name }) => name)
    .sort();
}

/** All servers of a backend as `name admin weight`, sorted. */
export async function serversOf(socket: string, backend: string): Promise<readonly string[]> {
  const servers = parseServersState(await askSocket(socket, 'show servers state')).get(backend);
  return [...(servers?.values() ?? [])].map(({ name, admin, weight }) => `${name} ${admin} ${weight}`).sort();
}

/** The `server` lines of a backend in the file, without their indentation. */
export async function serverLines(file: string, backend: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8');
  const section = text.split('\n\n').find((each) => isBackend(each, backend)) ?? '';
  return section.split('\n').flatMap((line) => (line.trim().startsWith('server ') ? [line.trim()] : []));
}
