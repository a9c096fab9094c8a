import { hostname } from 'node:os';

import {
  type AdminAddress,
  type Clock,
  describeError,
  type Lifetime,
  type Logger,
  type Metrics,
  Notifier,
  run,
  serveAdmin,
  type Task,
  untilAborted,
} from '@smartstack/agent';

import type { Generator } from './catalog/types.js';
import type { AgentSettings } from './config/agentFile.js';
import type { Synapse } from './synapse.js';
import type { Topology } from './topology/topology.js';
import { version } from './version.js';

export interface DaemonOptions {
  readonly synapse: Synapse;
  readonly settings: AgentSettings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Told where the admin server listens, once it does. */
  readonly onListening?: (addresses: readonly AdminAddress[]) => void;
}

/** How often `systemctl status` may change, in milliseconds. */
const statusEveryMs = 1_000;

/** Synapse as a service of the machine: with its admin server, systemd, and SIGHUP. */
export async function runDaemon(options: DaemonOptions, lifetime: Lifetime): Promise<void> {
  const { synapse, env, clock, logger } = options;
  const notifier = new Notifier({ env, clock, logger });
  lifetime.onReload(() => {
    reload(synapse, notifier).catch((error: unknown) => {
      logger.error('the configuration could not be read again', { error: describeError(error) });
    });
  });
  const announce: Task = async (signal) => {
    await Promise.race([synapse.started, untilAborted(signal)]);
    if (!signal.aborted) {
      await notifier.ready(synapse.summary());
      logger.info('ready', { summary: synapse.summary() });
    }
    let told = synapse.summary();
    while (await waited(clock, statusEveryMs, signal)) {
      const now = synapse.summary();
      if (now !== told) await notifier.status(now);
      told = now;
    }
    await notifier.stopping();
  };
  const watchdog: Task = async (signal) => {
    // Returns at once where systemd wants none, which must not end the others.
    await notifier.watchdog(() => synapse.health().ok, signal);
    await untilAborted(signal);
  };
  const topology = topologyOf(options, lifetime.signal);
  await run(
    [
      (signal) => synapse.run(signal),
      announce,
      watchdog,
      admin(options, topology),
      async (signal) => (await topology).run(signal),
    ],
    lifetime.signal,
  );
}

/** Who calls whom can wait until there is somebody to call. */
async function topologyOf(
  { synapse, settings, clock, logger, metrics }: DaemonOptions,
  signal: AbortSignal,
): Promise<Topology> {
  await synapse.routesFirst(signal);
  const { Topology: Made } = await import('./topology/topology.js');
  const { mesh, ...local } = settings.topology;
  return new Made({
    settings: { ...local, mesh: synapse.isShadow ? undefined : mesh },
    acquireSession: (hosts) => synapse.acquireSession('topology', hosts),
    ...{ version, zone: settings.location.get('zone'), clock, metrics },
    generators: () => synapse.evidence.generators.values(),
    declared: () => synapse.evidence.services.callers,
    logger: logger.child({ component: 'topology' }),
  });
}

async function reload(synapse: Synapse, notifier: Notifier): Promise<void> {
  await notifier.reloading();
  try {
    await synapse.reload();
  } finally {
    await notifier.ready(synapse.summary());
  }
}

/** The counts of /metrics that nobody keeps up to date in between are made when it is asked for. */
function admin(
  { synapse, settings, clock, logger, metrics, onListening }: DaemonOptions,
  topology: Promise<Topology>,
): Task {
  const about = { host: hostname(), version, startedAt: clock.now() };
  const options = {
    name: 'synapse',
    version,
    ...settings.admin,
    clock,
    logger: logger.child({ component: 'admin' }),
    metrics: {
      ...metrics,
      expose: () => {
        synapse.refreshMetrics();
        return metrics.expose();
      },
    },
    compat: {
      linkerd: async (text: string, query: URLSearchParams) => {
        const { linkerdMetrics, linkerdLabels } = await import('./traffic/linkerd.js');
        return linkerdMetrics(text, linkerdLabels(query, about.host));
      },
      'go-synapse': async (text: string) => {
        const { goSynapseMetrics, registryCounts } = await import('./goSynapse/metrics.js');
        return goSynapseMetrics(text, registryCounts(synapse.evidence.catalog, clock.monotonic()));
      },
    },
    health: () => synapse.health(),
    ready: () => synapse.ready(),
    status: () => synapse.status(),
    routes: async () => {
      const [made, { apiRoutes }, { Explainer }, { dashboardRoutes }] = await Promise.all([
        topology,
        import('./api.js'),
        import('./explain/explainer.js'),
        import('./dashboard/routes.js'),
      ]);
      const explainer = new Explainer(synapse.evidence);
      const traffic = () => partOf(synapse.evidence.generators, 'traffic');
      const source = () => partOf(synapse.evidence.generators, 'tap');
      const tap = { tap: source, clock, needsToken: settings.tapNeedsToken };
      return [
        ...apiRoutes({
          ...{ instances: () => synapse.instances(), ready: () => synapse.ready(), traffic, tap },
          ...{ topology: () => made, explainer: () => explainer },
        }),
        ...dashboardRoutes({ about, traffic }),
      ];
    },
    ...(onListening && { onListening }),
  };
  return async (signal) => {
    await synapse.routesFirst(signal);
    await serveAdmin(options, signal);
  };
}

function partOf<K extends 'traffic' | 'tap'>(
  generators: ReadonlyMap<string, Pick<Generator, K>>,
  part: K,
): Generator[K] | undefined {
  return [...generators.values()].map((generator) => generator[part]).find((found) => found !== undefined);
}

/** Waits; false when the signal aborted first. */
function waited(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  return clock.sleep(ms, signal).then(
    () => true,
    () => false,
  );
}
