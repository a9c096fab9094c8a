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
  StatsdSender,
  untilAborted,
  withUnitSocket,
} from '@smartstack/agent';
import { endAllGroups } from './checks/processGroups.js';
import type { LoadedConfig, LoadOptions } from './config/load.js';
import type { MainConfig } from './config/schema.js';
import type { ServiceDefinition } from './config/service.js';
import { ConfigFollower } from './configFollower.js';
import { Control } from './control.js';
import { heartbeat } from './heartbeat.js';
import { HeartbeatBoard } from './heartbeats/board.js';
import { waitingChecks } from './heartbeats/waiting.js';
import { InstanceReader } from './instances.js';
import { declareMetrics } from './metrics.js';
import { Orders } from './orders/orders.js';
import { ReadOnlySpool } from './orders/readOnlySpool.js';
import { Spool } from './orders/spool.js';
import { ProbeGate } from './probeGate.js';
import { Registries } from './registries.js';
import { Services } from './services.js';
import { noteServices } from './serviceEvents.js';
import { alsoToStatsd, StatsdEvents } from './statsdEvents.js';
import { readiness, statusPage, summary } from './status.js';
import { version } from './version.js';

/** How long systemd waits at most for a registry that cannot be reached, in milliseconds. */
const settleMs = 5_000;
const statusEveryMs = 1_000;

/** What `main.ts` hands to the agent. */
export interface NerveOptions extends LoadOptions {
  readonly lifetime: Lifetime;
  /** Beside another nerve: nothing is registered, written or sent, and what differs is reported. */
  readonly shadow?: boolean;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The logger that a configuration's `log` asks for. */
  readonly createLogger: (settings: LogSettings) => Logger;
  /** Used until the configuration is read. */
  readonly logger: Logger;
}

/** Runs the registrar until its lifetime ends. Throws ConfigError when it cannot start with what is there. */
export async function runNerve(options: NerveOptions): Promise<void> {
  const { clock, lifetime, shadow = false } = options;
  const registry = createMetrics();
  const counted = declareMetrics(registry);
  const statsd = new StatsdSender(options);
  const events = new StatsdEvents(statsd);
  const metrics = alsoToStatsd(counted, events, (service) => registries.reached(service));
  metrics.buildInfo.set(1, { agent: 'nerve', version });
  const follower = new ConfigFollower(options, { clock, logger: options.logger, metrics });
  const first = await follower.load();
  if (first.main === undefined || first.fatal.length > 0) throw new ConfigError(first.fatal);

  const logger = options.createLogger(first.main.log);
  let main = first.main;
  const notifier = new Notifier({ env: options.env, clock, logger });
  const registries = new Registries({ clock, logger, metrics, declare: registry, events, shadow });
  const orders = new Orders({ spool: spoolOf(main, options), clock, logger });
  await orders.load();
  const gate = new ProbeGate(main.maxConcurrentChecks);
  const heartbeats = new HeartbeatBoard(clock);
  const deps = { clock, logger, metrics, orders, gate, random: Math.random, heartbeats };
  const services = new Services(registries, deps);
  const control = new Control(services, orders, clock);
  const instances = new InstanceReader(registries.sessions, clock);
  const view = {
    services,
    control,
    pool: registries.sessions,
    etcd: registries.etcd,
    startedAt: clock.now(),
    get instanceId() {
      return main.instanceId;
    },
    get config() {
      return follower.status;
    },
  };
  let settled = false;

  const apply = (loaded: LoadedConfig): void => {
    if (loaded.main === undefined) return;
    noteRestartKeys(main, loaded.main, logger);
    main = loaded.main;
    gate.limit = main.maxConcurrentChecks;
    if (!shadow) statsd.configure(main.statsd);
    events.configured();
    noteServices(services, events, () => services.apply(desired(loaded, services, shadow)));
    heartbeats.keep(waitingChecks(services.definitions));
    instances.keep(new Set(services.definitions.map(({ name }) => name)));
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
      for (const { name } of services.definitions) events.serviceStopped(name);
      const leaveMs = signal.aborted && main.drainOnStop && !shadow ? main.drainOnStopMax * 1000 : 0;
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
  const started = clock.monotonic();
  let failure: unknown;
  apply(first);
  events.started();
  try {
    await run(
      [
        serve,
        (signal) => follower.run(reload, signal),
        (signal) => orders.run(signal),
        announce,
        (signal) =>
          heartbeat(() => (shadow ? undefined : main.heartbeatPath), alive, { clock, logger }, signal),
        async (signal) => {
          // Returns at once where systemd wants none.
          await notifier.watchdog(alive, signal);
          await untilAborted(signal);
        },
        (signal) =>
          serveAdmin(
            {
              name: 'nerve',
              version,
              ...withUnitSocket(main.admin, 'nerve', options.env),
              clock,
              logger: logger.child({ component: 'admin' }),
              metrics: registry,
              health: () => ({ ok: alive(), stuck: services.stuck }),
              ready: () => readiness(view, settled),
              status: () => statusPage(view),
              routes: async () => {
                const read = (one: ServiceDefinition) => instances.read(one);
                return (await import('./api/index.js')).apiRoutes({
                  services,
                  control,
                  heartbeats,
                  clock,
                  instances: read,
                });
              },
            },
            signal,
          ),
      ],
      lifetime.signal,
    );
  } catch (error) {
    if (!lifetime.signal.aborted) failure = error;
    throw error;
  } finally {
    events.stopped(clock.monotonic() - started, failure);
    await Promise.all([endAllGroups(clock), statsd.close()]);
    logger.info('stopped');
  }
}

/** Where orders are kept. systemd names the unit's state directories, the first of them first. */
function spoolOf(main: MainConfig, { env, shadow }: NerveOptions): Spool | undefined {
  const directory = main.stateDir ?? (env.STATE_DIRECTORY?.split(':')[0] || undefined);
  const Kind = shadow === true ? ReadOnlySpool : Spool;
  return directory === undefined ? undefined : new Kind(join(directory, 'orders'));
}

/** What should run: what is valid, and of what is not, whatever runs already. */
function desired(loaded: LoadedConfig, services: Services, shadow: boolean) {
  const kept = services.definitions.filter(({ source }) => loaded.broken.has(source));
  const all = [...kept.map((one) => [one.name, one] as const), ...loaded.services];
  return new Map(all.map(([name, one]) => [name, shadow ? withoutHooks(one) : one]));
}

/** What is run when a service comes or goes is the other nerve's to run. */
function withoutHooks(definition: ServiceDefinition): ServiceDefinition {
  const hooks = new Set(['preAvailable', 'doneCommand', 'shutdown']);
  const without = <T extends object>(part: T): T =>
    Object.fromEntries(Object.entries(part).filter(([key]) => !hooks.has(key))) as T;
  const { lifecycle } = definition;
  return { ...definition, lifecycle: { ...without(lifecycle), drain: without(lifecycle.drain) } };
}

function noteRestartKeys(before: MainConfig, after: MainConfig, logger: Logger): void {
  for (const [key, name] of Object.entries({ admin: 'admin', log: 'log', stateDir: 'state_dir' } as const)) {
    const part = key as 'admin' | 'log' | 'stateDir';
    if (JSON.stringify(before[part]) === JSON.stringify(after[part])) continue;
    logger.warn('a changed setting takes effect at the next start', { key: name });
  }
}
