import type { Clock } from '@smartstack/agent';
import { carryOut, type CommandContext, type CommandOutcome } from './runtimeApi.js';
import type { RuntimeSession } from './runtimeClient.js';
import type { RuntimeCommand } from './types.js';

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

const firstDeleteAttempts = 10;
const laterDeleteAttempts = 6;

/** `backend/server` of a command. */
export function serverKey(command: RuntimeCommand): string {
  return `${command.backend}/${command.server}`;
}

/**
 * Carries commands out over one session: those of one server in order, different servers side by side. Returns
 * one result per command, in the plan's order. Throws when the connection breaks: what was done is then unknown.
 */
export async function applyCommands(
  session: RuntimeSession,
  commands: readonly RuntimeCommand[],
  options: ApplyOptions,
): Promise<readonly AppliedCommand[]> {
  const byServer = new Map<string, RuntimeCommand[]>();
  for (const command of commands) {
    const key = serverKey(command);
    byServer.set(key, [...(byServer.get(key) ?? []), command]);
  }
  const outcomes = new Map<RuntimeCommand, CommandOutcome>();
  const lanes = [...byServer].map(async ([key, own]) => {
    const attempts = options.lingering.has(key) ? laterDeleteAttempts : firstDeleteAttempts;
    const context: CommandContext = { ...options, session, deleteAttempts: attempts };
    let broken: string | undefined;
    for (const command of own) {
      // Adding over a server that could not be removed would meet the old one under the new one's name.
      const outcome: CommandOutcome =
        broken === undefined ? await carryOut(command, context) : { result: 'failed', detail: broken };
      outcomes.set(command, outcome);
      if (outcome.result !== 'done')
        broken = `an earlier command on ${key} did not succeed: ${outcome.detail}`;
    }
  });
  await Promise.all(lanes);
  return commands.map((command) => ({
    command,
    outcome: outcomes.get(command) ?? { result: 'failed', detail: 'not carried out' },
  }));
}
