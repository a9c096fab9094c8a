import {
  type Clock,
  ConfigError,
  createMetrics,
  type Lifetime,
  type Logger,
  Notifier,
  type LogSettings,
  run,
  serveAdmin,
  untilAborted,
} from '@smartstack/agent';
import { declareZooKeeperMetrics, openSession, SessionPool } from '@smartstack/registry';
import { endAllGroups } from './checks/processGroups.js';
import type { LoadedConfig, LoadOptions } from './config/load.js';
import type { MainConfig } from './config/schema.js';
import { ConfigFollower } from './configFollower.js';
import { heartbeat } from './heartbeat.js';
import { HeartbeatBoard } from './heartbeats/board.js';
import { waitingChecks } from './heartbeats/waiting.js';
import { declareMetrics } from './metrics.js';
import { reporters } from './reporters/index.js';
import { type Reporting, Services } from './services.js';
import { readiness, statusPage, summary } from './status.js';
import { version } from './version.js';

/** How long systemd waits at most for a registry that cannot be reached, in milliseconds. */
const settleMs = 5_000;
const statusEveryMs = 1_000;

/** What `main.ts` hands to the agent. */
export interface NerveOptions extends LoadOptions {
  readonly lifetime: Lifetime;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The logger that a configuration's `log` asks for. */
  readonly createLogger: (settings: LogSettings) => Logger;
  /** Used until the configuration is read. */
  readonly logger: Logger;
}

/** Runs the registrar until its lifetime ends. Throws ConfigError when it cannot start with what is there. */
export async function runNerve(options: NerveOptions): Promise<void> {
  const { clock, lifetime } = options;
  const registry = createMetrics();
  const metrics = declareMetrics(registry);
  metrics.buildInfo.set(1, { agent: 'nerve', version });
  const follower = new ConfigFollower(options, { clock, logger: options.logger, metrics });
  const first = await follower.load();
  if (first.main === undefined || first.fatal.length > 0) throw new ConfigError(first.fatal);

  const logger = options.createLogger(first.main.log);
  let main = first.main;
  const notifier = new Notifier({ env: options.env, clock, logger });
  const zkMetrics = declareZooKeeperMetrics(registry);
  const pool = new SessionPool((session) =>
    openSession({ ...session, clock, logger: logger.child({ component: 'zookeeper' }), metrics: zkMetrics }),
  );
  const heartbeats = new HeartbeatBoard(clock);
  const deps = { clock, logger, metrics, random: Math.random, heartbeats };
  const services = new Services(reporting(pool, clock, logger), deps);
  const view = {
    services,
    pool,
    startedAt: clock.now(),
    get instanceId() {
      return main.instanceId;
    },
    get config() {
      return follower.status;
    },
  };
  let settled = false;
  if (main.statsd !== undefined) logger.info('statsd is accepted and not used: see /metrics');

  const apply = (loaded: LoadedConfig): void => {
    if (loaded.main === undefined) return;
    noteRestartKeys(main, loaded.main, logger);
    main = loaded.main;
    services.apply(desired(loaded, services));
    heartbeats.keep(waitingChecks(services.definitions));
  };
  const reload = async (loaded: LoadedConfig): Promise<void> => {
    // Before the start is announced, systemd would take the end of a reload for it.
    if (settled) await notifier.reloading('reading the configuration');
    apply(loaded);
    if (settled) await notifier.ready(summary(view));
  };
  const serve = async (signal: AbortSignal): Promise<void> => {
    try {
      await services.run(signal);
    } finally {
      // At once, whatever else takes its time to end.
      await Promise.all([notifier.stopping('withdrawing'), services.withdrawAll(main.stopTimeout * 1000)]);
    }
  };
  const announce = async (signal: AbortSignal): Promise<void> => {
    await services.settled(settleMs, signal);
    settled = true;
    let last = summary(view);
    await notifier.ready(last);
    for (;;) {
      await clock.sleep(statusEveryMs, signal);
      const now = summary(view);
      if (now !== last) await notifier.status(now);
      last = now;
    }
  };
  const alive = (): boolean => services.stuck.length === 0;

  lifetime.onReload(() => {
    follower.trigger();
  });
  apply(first);
  try {
    await run(
      [
        serve,
        (signal) => follower.run(reload, signal),
        announce,
        (signal) => heartbeat(() => main.heartbeatPath, alive, { clock, logger }, signal),
        async (signal) => {
          // Returns at once where systemd wants none.
          await notifier.watchdog(alive, signal);
          await untilAborted(signal);
        },
        (signal) =>
          serveAdmin(
            {
              listen: main.admin,
              clock,
              logger: logger.child({ component: 'admin' }),
              metrics: registry,
              health: () => ({ ok: alive(), stuck: services.stuck }),
              ready: () => readiness(view, settled),
              status: () => statusPage(view),
            },
            signal,
          ),
      ],
      lifetime.signal,
    );
  } finally {
    await endAllGroups(clock);
    logger.info('stopped');
  }
}

function reporting(sessions: SessionPool, clock: Clock, logger: Logger): Reporting {
  const context = { clock, logger, sessions, random: Math.random };
  return {
    place: ({ reporter }) => `${reporter.type} ${reporters[reporter.type].place(reporter.settings)}`,
    clash: (before, after) =>
      reporters[after.reporter.type].clash(before.reporter.settings, after.reporter.settings),
    create: ({ reporter }) => reporters[reporter.type].create(reporter.settings, context),
  };
}

/** What should run: what is valid, and of what is not, whatever runs already. */
function desired(loaded: LoadedConfig, services: Services) {
  const kept = services.definitions.filter(({ source }) => loaded.broken.has(source));
  return new Map([...kept.map((one) => [one.name, one] as const), ...loaded.services]);
}

function noteRestartKeys(before: MainConfig, after: MainConfig, logger: Logger): void {
  for (const key of ['admin', 'log'] as const) {
    if (JSON.stringify(before[key]) === JSON.stringify(after[key])) continue;
    logger.warn('a changed setting takes effect at the next start', { key });
  }
}
