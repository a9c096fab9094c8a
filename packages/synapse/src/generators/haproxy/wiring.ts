import { join } from 'node:path';
import type { Clock, Logger } from '@smartstack/agent';
import { BeliefStore } from './loaded/beliefStore.js';
import { ConfigKeeper } from './file/configKeeper.js';
import type { HaproxyMetrics } from './haproxyMetrics.js';
import { InstalledHaproxy } from './process/installed.js';
import { CounterReader } from './runtime/counterReader.js';
import { createManagedProcess } from './process/managedProcess.js';
import { defaultProbe, Prober } from './runtime/probe.js';
import { OwnStart } from './process/ownStart.js';
import {
  createExternalProcess,
  defaultProcessTiming,
  type HaproxyProcess,
  type ProcessTiming,
} from './process/process.js';
import { ReloadGate } from './process/reloadGate.js';
import type { Turn } from './process/turn.js';
import { RuntimeTarget } from './runtime/runtimeTarget.js';
import type { HaproxyConfig } from './block/schema.js';
import { StateFile } from './file/stateFile.js';
import type { Steering } from './balance/steering.js';
import type { Budgets } from './budget/budgets.js';
import type { TapHub } from './tap/tapHub.js';
import { TapRunner } from './tap/tapRunner.js';
import type { Traffic } from './traffic.js';
import { Validator } from './file/validate.js';

/** Durations of the generator, in milliseconds. */
export interface GeneratorTiming extends ProcessTiming {
  /** For one answer on an admin socket. */
  readonly commandMs: number;
  /** Age at which an observation is read again although nothing suggests drift. */
  readonly observeAgainMs: number;
  /** How often it is looked whether the process is still the same. */
  readonly watchMs: number;
  /** How often HAProxy's counters are read at most. */
  readonly countMs: number;
  /** How often its histograms of latencies are read at most. */
  readonly latencyMs: number;
  /** How often weights are worked out from latencies at most. */
  readonly steerMs: number;
  /** For one check of a candidate. */
  readonly checkMs: number;
  /** How often addresses that were taken are tried again. */
  readonly retryAddressesMs: number;
}

/** The defaults. */
export const defaultGeneratorTiming: GeneratorTiming = {
  ...defaultProcessTiming,
  commandMs: 2_000,
  observeAgainMs: 10_000,
  watchMs: 500,
  countMs: 2_000,
  latencyMs: 1_000,
  steerMs: 900,
  checkMs: 30_000,
  retryAddressesMs: 10_000,
};

/** What every part is built with. */
export interface WiringContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: HaproxyMetrics;
  readonly traffic: Traffic;
  readonly steering: Steering;
  readonly tap: TapHub;
  readonly budgets: Budgets;
  readonly timing: GeneratorTiming;
  readonly random: () => number;
  /** One start or reload at a time, also while parts are replaced. */
  readonly turn: Turn;
}

/** The parts with effects, for one configuration. */
export interface Wiring {
  readonly targets: readonly RuntimeTarget[];
  readonly process: HaproxyProcess;
  readonly installed: InstalledHaproxy;
  readonly keeper: ConfigKeeper;
  readonly gate: ReloadGate;
  readonly ownStart: OwnStart;
  readonly stateFile: StateFile;
  readonly beliefs: BeliefStore;
  readonly counters: CounterReader;
  readonly taps: TapRunner;
  readonly steering: Steering;
}

/** The settings that parts are built from; the rest of the block is read anew at each reconcile. */
export function wiringKey(config: HaproxyConfig): string {
  const { configFilePath, candidateConfigFilePath, socketFilePaths, reloadCommand, checkCommand } = config;
  const { restartIntervalMs, restartJitter, stateFilePath, managed, haproxyBinary, masterSocketPath } =
    config;
  const { probeNewServers, doWrites, doSocket, doChecks, doReloads } = config;
  return JSON.stringify([
    ...[configFilePath, candidateConfigFilePath, socketFilePaths, reloadCommand, checkCommand],
    ...[restartIntervalMs, restartJitter, stateFilePath, managed, haproxyBinary, masterSocketPath],
    ...[probeNewServers, doWrites, doSocket, doChecks, doReloads],
  ]);
}

function processOf(
  config: HaproxyConfig,
  targets: readonly RuntimeTarget[],
  context: WiringContext,
): HaproxyProcess {
  const { clock, logger, metrics, timing, random, turn } = context;
  const { managed, masterSocketPath, reloadCommand, haproxyBinary, configFilePath } = config;
  if (managed && masterSocketPath !== undefined) {
    return createManagedProcess({
      ...{ clock, logger, timing, random, turn, haproxyBinary, masterSocketPath },
      configFile: configFilePath,
      startsFirst: !config.doReloads,
      logFile: join(configFilePath, '..', 'haproxy.log'),
      superviseMs: timing.watchMs,
      onStart: (result) => metrics.started(result),
    });
  }
  const workerPid = async (signal: AbortSignal): Promise<number | undefined> => {
    const identity = await targets[0]?.identify(signal).catch(() => undefined);
    return identity?.pid;
  };
  return createExternalProcess({ clock, logger, timing, reloadCommand, masterSocketPath, workerPid });
}

/** Builds the parts, and reads what an earlier run left on disk. */
export async function wire(config: HaproxyConfig, context: WiringContext): Promise<Wiring> {
  const { clock, logger, metrics, timing, random, traffic, steering, budgets } = context;
  const { configFilePath: configPath, candidateConfigFilePath: candidatePath, doWrites, doSocket } = config;
  const prober = new Prober({ ...defaultProbe, mode: config.probeNewServers }, clock);
  const targets = (doSocket ? config.socketFilePaths : []).map(
    (socketPath) =>
      new RuntimeTarget({
        ...{ clock, prober, socketPath },
        deadlineMs: timing.commandMs,
        observeAgainMs: timing.observeAgainMs,
      }),
  );
  const sockets = targets.map(({ socketPath }) => socketPath);
  const beliefs = await BeliefStore.open(doWrites ? `${configPath}.loaded.json` : undefined, sockets);
  const validator = new Validator({
    ...{ clock, candidatePath, haproxyBinary: config.haproxyBinary, timeoutMs: timing.checkMs },
    checkCommand: config.doChecks ? config.checkCommand : undefined,
  });
  const process = processOf(config, targets, context);
  const installed = new InstalledHaproxy(config.haproxyBinary, { clock, timeoutMs: timing.checkMs });
  const keeper = new ConfigKeeper({
    ...{ clock, logger, metrics, configPath, candidatePath, validator, doWrites },
    retryAddressesMs: timing.retryAddressesMs,
    descriptorLimit: (signal) => process.descriptorLimit(signal),
    hasMaster: config.masterSocketPath !== undefined,
    executable: () => installed.current(),
    written: beliefs.written,
    onWritten: async (written) => {
      beliefs.written = written;
      await beliefs.save();
    },
  });
  const { restartIntervalMs: intervalMs, restartJitter: jitter } = config;
  const { countMs, latencyMs } = timing;
  return {
    ...{ targets, keeper, beliefs, process, installed, steering },
    counters: new CounterReader({ clock, logger, targets, process, traffic, budgets, countMs, latencyMs }),
    taps: new TapRunner({ clock, hub: context.tap, targets }),
    ownStart: new OwnStart(clock),
    gate: new ReloadGate({ clock, intervalMs, jitter, random }),
    stateFile: new StateFile(config.stateFilePath, clock),
  };
}
