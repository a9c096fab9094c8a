import { join } from 'node:path';
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
import { Control } from './control.js';
import { heartbeat } from './heartbeat.js';
import { declareMetrics } from './metrics.js';
import { Orders } from './orders/orders.js';
import { Spool } from './orders/spool.js';
import { ProbeGate } from './probeGate.js';
import { reporters } from './reporters/index.js';
import { Services } from './services.js';
import type { Reporting } from './slots.js';
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
  const orders = new Orders({ spool: spoolOf(main, options.env), clock, logger });
  await orders.load();
  const gate = new ProbeGate(main.maxConcurrentChecks);
  const deps = { clock, logger, metrics, orders, gate, random: Math.random };
  const services = new Services(reporting(pool, clock, logger), deps);
  const view = {
    services,
    control: new Control(services, orders, clock),
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
    gate.limit = main.maxConcurrentChecks;
    services.apply(desired(loaded, services));
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
      const leaveMs = signal.aborted && main.drainOnStop ? main.drainOnStopMax * 1000 : 0;
      lifetime.extendGrace(leaveMs);
      // At once, whatever else takes its time to end.
      await Promise.all([
        notifier.stopping('withdrawing', leaveMs),
        services.withdrawAll(main.stopTimeout * 1000, leaveMs),
      ]);
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
        (signal) => orders.run(signal),
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

/** Where orders are kept. systemd names the unit's state directories, the first of them first. */
function spoolOf(main: MainConfig, env: NerveOptions['env']): Spool | undefined {
  const directory = main.stateDir ?? (env.STATE_DIRECTORY?.split(':')[0] || undefined);
  return directory === undefined ? undefined : new Spool(join(directory, 'orders'));
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
  for (const [key, name] of Object.entries({ admin: 'admin', log: 'log', stateDir: 'state_dir' } as const)) {
    const part = key as 'admin' | 'log' | 'stateDir';
    if (JSON.stringify(before[part]) === JSON.stringify(after[part])) continue;
    logger.warn('a changed setting takes effect at the next start', { key: name });
  }
}
