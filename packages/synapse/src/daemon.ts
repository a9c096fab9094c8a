import {
  type AdminAddress,
  AdminServer,
  type Clock,
  describeError,
  type Lifetime,
  type Logger,
  type Metrics,
  Notifier,
  run,
  type Task,
} from '@smartstack/agent';

import type { AgentSettings } from './config/agentFile.js';
import type { Synapse } from './synapse.js';

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

/** How often a taken address is tried again, in milliseconds. */
const listenAgainMs = 5_000;

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
    await Promise.race([synapse.started, aborted(signal)]);
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
    await aborted(signal);
  };
  await run([(signal) => synapse.run(signal), announce, watchdog, admin(options)], lifetime.signal);
}

async function reload(synapse: Synapse, notifier: Notifier): Promise<void> {
  await notifier.reloading();
  try {
    await synapse.reload();
  } finally {
    await notifier.ready(synapse.summary());
  }
}

/** Without its admin server synapse still keeps the routes: a taken port is reported and tried again. */
function admin({ synapse, settings, clock, logger, metrics, onListening }: DaemonOptions): Task {
  return async (signal) => {
    const { address: host, port } = settings.admin;
    let told = false;
    while (port !== null && !signal.aborted) {
      try {
        const server = await AdminServer.listen({
          listen: [{ host, port }],
          logger: logger.child({ component: 'admin' }),
          metrics: {
            ...metrics,
            expose: () => {
              synapse.refreshMetrics();
              return metrics.expose();
            },
          },
          health: () => synapse.health(),
          ready: () => synapse.ready(),
          status: () => synapse.status(),
        });
        logger.info('admin server listens', { addresses: server.addresses });
        onListening?.(server.addresses);
        await server.run(signal);
        return;
      } catch (error) {
        if (!told) logger.error('no admin server, trying again', { error: describeError(error) });
        told = true;
        await clock.sleep(listenAgainMs, signal).catch(() => undefined);
      }
    }
    await aborted(signal);
  };
}

/** Waits; false when the signal aborted first. */
function waited(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  return clock.sleep(ms, signal).then(
    () => true,
    () => false,
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
