import { setMaxListeners } from 'node:events';
import type { Clock } from '@smartstack/agent';
import { carryOut, type CommandContext, type CommandOutcome, type DeletionPatience } from './runtimeApi.js';
import type { RuntimeSession } from './runtimeClient.js';
import type { RuntimeCommand } from '../types.js';

/** One command of a plan, and how it ended. */
export interface AppliedCommand {
  readonly command: RuntimeCommand;
  readonly outcome: CommandOutcome;
}

/** What applying needs; see CommandContext. */
export interface ApplyOptions {
  readonly clock: Clock;
  readonly confirm: CommandContext['confirm'];
  readonly signal?: AbortSignal;
  /** Servers (`backend/server`) left lingering by an earlier apply: they get few attempts, so that nobody waits for them. */
  readonly lingering: ReadonlySet<string>;
}

const firstDeletion: DeletionPatience = { attempts: 10, beforeNewAddress: 5 };
const laterDeletion: DeletionPatience = { attempts: 6, beforeNewAddress: 1 };

/** `backend/server` of a command. */
export function serverKey(command: RuntimeCommand): string {
  return `${command.backend}/${command.server}`;
}

/** True when a backend has less to offer after `command` than before. */
function takesAway(command: RuntimeCommand): boolean {
  return (
    command.kind === 'remove-server' ||
    (command.kind === 'set-state' && command.state !== 'ready') ||
    (command.kind === 'set-weight' && command.weight === 0)
  );
}

/** The commands of one server, in order. */
interface Lane {
  readonly key: string;
  readonly commands: RuntimeCommand[];
}

/** Commands by backend, then by server. */
function lanesOf(commands: readonly RuntimeCommand[]): readonly (readonly Lane[])[] {
  const backends = new Map<string, Map<string, Lane>>();
  for (const command of commands) {
    const lanes = backends.get(command.backend) ?? new Map<string, Lane>();
    backends.set(command.backend, lanes);
    const key = serverKey(command);
    const lane = lanes.get(key) ?? { key, commands: [] };
    lanes.set(key, lane);
    lane.commands.push(command);
  }
  return [...backends.values()].map((lanes) => [...lanes.values()]);
}

/** True when a server is taken out only to come back otherwise. */
function replaces({ commands }: Lane): boolean {
  return commands.some(({ kind }) => kind === 'add-server') && commands.some(takesAway);
}

/** Servers to replace in turn, no more than half of them at once. */
function wavesOf(lanes: readonly Lane[]): readonly (readonly Lane[])[] {
  const size = Math.max(1, Math.floor(lanes.length / 2));
  return Array.from({ length: Math.ceil(lanes.length / size) }, (_, i) =>
    lanes.slice(i * size, (i + 1) * size),
  );
}

/**
 * Carries commands out over one session: those of one server in order, different servers side by side, except
 * that a backend loses no server before it has those that come, and that of the servers to replace half stay until
 * the others are back: one of them serves at any moment. Returns one result per command, in the plan's order.
 * Throws when the connection breaks: what was done is then unknown.
 */
export async function applyCommands(
  session: RuntimeSession,
  commands: readonly RuntimeCommand[],
  options: ApplyOptions,
): Promise<readonly AppliedCommand[]> {
  // Each command under way listens to it: their number is no leak.
  if (options.signal !== undefined) setMaxListeners(0, options.signal);
  const outcomes = new Map<RuntimeCommand, CommandOutcome>();
  const carryLane = async ({ key, commands: own }: Lane): Promise<void> => {
    const deletion = options.lingering.has(key) ? laterDeletion : firstDeletion;
    const context: CommandContext = { ...options, session, deletion };
    let broken: CommandOutcome | undefined;
    for (const command of own) {
      // Adding over a server that could not be removed would meet the old one under the new one's name.
      const outcome = broken ?? (await carryOut(command, context));
      outcomes.set(command, outcome);
      if (outcome.result !== 'done') {
        const detail = `an earlier command on ${key} did not succeed: ${outcome.detail}`;
        broken ??= { result: outcome.result, detail };
      }
    }
  };
  /** True when all its servers are in rotation: a detail says why one has to wait. */
  const isBack = (wave: readonly Lane[]): boolean =>
    wave.every((lane) =>
      lane.commands.every((command) => {
        const outcome = outcomes.get(command);
        return outcome?.result === 'done' && outcome.detail === undefined;
      }),
    );
  const replaceInWaves = async (lanes: readonly Lane[], newcomers: readonly Lane[]): Promise<void> => {
    // They may be all that serves meanwhile.
    let isSafe = newcomers.length === 0 || newcomers.some((lane) => isBack([lane]));
    for (const wave of wavesOf(lanes)) {
      if (isSafe) {
        await Promise.all(wave.map(carryLane));
        isSafe = isBack(wave);
        continue;
      }
      const outcome: CommandOutcome = { result: 'lingering', detail: 'waits for others that are replaced' };
      for (const command of wave.flatMap((lane) => lane.commands)) outcomes.set(command, outcome);
    }
  };
  const carryBackend = async (lanes: readonly Lane[]): Promise<void> => {
    const losses = new Set(lanes.filter((lane) => lane.commands.some(takesAway)));
    const replaced = [...losses].filter(replaces);
    const gains = lanes.filter((lane) => !losses.has(lane));
    await Promise.all(gains.map(carryLane));
    const isNew = (lane: Lane): boolean => lane.commands.some(({ kind }) => kind === 'add-server');
    await replaceInWaves(replaced, gains.filter(isNew));
    for (const lane of replaced) losses.delete(lane);
    await Promise.all([...losses].map(carryLane));
  };
  await Promise.all(lanesOf(commands).map(carryBackend));
  return commands.map((command) => ({
    command,
    outcome: outcomes.get(command) ?? { result: 'failed', detail: 'not carried out' },
  }));
}

/** What commands came to, for the log. */
export function summaryOf(applied: readonly AppliedCommand[]): Readonly<Record<string, unknown>> {
  const count = (kind: string): number => applied.filter(({ command }) => command.kind === kind).length;
  const notes = applied.flatMap(({ command, outcome }) =>
    outcome.detail === undefined ? [] : [`${serverKey(command)}: ${outcome.detail}`],
  );
  return {
    added: count('add-server'),
    removed: count('remove-server'),
    weights: count('set-weight'),
    states: count('set-state') + count('set-address'),
    ...(notes.length > 0 && { notes: notes.slice(0, 10) }),
  };
}
