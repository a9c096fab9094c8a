import { userInfo } from 'node:os';
import { type Clock, exitCode, within } from '@smartstack/agent';
import { type ApiClient, ApiError } from '@smartstack/agent/apiClient';
import { duration } from '../api/duration.js';
import type { Console } from './console.js';
import { json, readResult, readServices, servicePath } from './answers.js';
import type { Action, Environment } from './command.js';
import { usual } from './usual.js';
import { momentOf } from './moment.js';
import { BadUsage, connect, plainText } from '@smartstack/agent/cli';

type Drain = Extract<Action, { kind: 'drain' }>;

const lookEveryMs = 200;

/** `nerve drain` and `nerve undrain`. */
export async function orderDrain(
  action: Drain | Extract<Action, { kind: 'undrain' }>,
  console: Console,
): Promise<number> {
  const { clock, print, env } = console;
  const { kind, service } = action;
  const waitMs = kind === 'drain' ? spanOf('--timeout', action.timeout) : 0;
  const body = { by: whoAsks(env), ...(kind === 'drain' ? drainBody(action) : {}) };
  const client = await connect(action, usual, clock);
  const path = service === undefined ? `/v1/${kind}` : servicePath(service, `/${kind}`);
  const result = readResult(await client.call('POST', path, body));
  const { services, stillDrained, saved } = result;
  if (!saved) print('stderr', 'nerve: it could not be saved: a restart of the agent forgets it');
  const still = kind === 'undrain' ? stillDrained : [];
  if (still.length > 0) print('stderr', `nerve: still drained by another order: ${names(still)}`);
  // Now: whoever gives up waiting has drained all the same.
  if (action.output === 'table') print('stdout', `${kind}ed: ${names(services) || 'no services'}`);
  const done = kind === 'drain' && action.wait ? await untilLeft(client, services, waitMs, clock) : undefined;
  if (action.output === 'json') print('stdout', json({ ...result, ...(done && { left: done.ok }) }));
  if (done === undefined) return exitCode.stopped;
  if (done.ok && action.output === 'table') print('stdout', 'callers have let go');
  if (!done.ok && done.problem instanceof ApiError) throw done.problem;
  if (!done.ok) print('stderr', `nerve: ${done.problem}`);
  return done.ok ? exitCode.stopped : exitCode.failure;
}

function drainBody({ reason, for: span, until, shutdown }: Drain): object {
  if (span !== undefined) spanOf('--for', span);
  const at = until === undefined ? undefined : momentOf(until);
  if (until !== undefined && at === undefined)
    throw new BadUsage(`--until: expected a time such as 2030-01-31T12:00:00Z, not ${until}`);
  return {
    ...(reason !== undefined && { reason }),
    ...(span !== undefined && { duration: span }),
    ...(at !== undefined && { until: new Date(at).toISOString() }),
    ...(shutdown && { shutdown }),
  };
}

/** Milliseconds. */
function spanOf(flag: string, text: string): number {
  const { data, error } = duration.safeParse(text);
  if (error) throw new BadUsage(`${flag}: ${error.issues[0]?.message ?? ''}, not ${text}`);
  return data;
}

/** For logs and the status: whoever is behind sudo, else the user. */
export function whoAsks(env: Environment): string {
  return (env.SUDO_USER || env.USER || env.LOGNAME || userName()).slice(0, 200);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A number without a name.
    return 'unknown';
  }
}

/** An ApiError: the agent does not answer. */
type Outcome = { readonly ok: true } | { readonly ok: false; readonly problem: string | ApiError };

function names(services: readonly string[]): string {
  return plainText(services.join(', '));
}

/**
 * Waits until the drains of all these services are left. The agent may restart meanwhile. Throws ApiError when it
 * refuses to tell.
 */
async function untilLeft(
  client: ApiClient,
  services: readonly string[],
  limitMs: number,
  clock: Clock,
): Promise<Outcome> {
  const until = clock.monotonic() + limitMs;
  for (;;) {
    let problem: string | ApiError;
    try {
      // At least one look, and none that takes longer than there is time.
      const patience = Math.max(until - clock.monotonic(), lookEveryMs);
      const answer = await within(client.call('GET', '/v1/services'), patience, clock);
      if (answer === undefined) throw new ApiError('unreachable', 'the agent does not answer in time');
      const all = new Map(readServices(answer).services.map((one) => [one.service, one]));
      const gone = services.filter((name) => !all.has(name));
      // It is withdrawn, too, and nobody waits for its callers.
      if (gone.length > 0) return failed(`not configured any more: ${names(gone)}`);
      const undrained = services.filter((name) => all.get(name)?.drain === undefined);
      if (undrained.length > 0) return failed(`undrained meanwhile: ${names(undrained)}`);
      const waiting = services.filter((name) => all.get(name)?.drain?.phase !== 'left');
      if (waiting.length === 0) return { ok: true };
      problem = `callers have not let go in time: ${names(waiting)}`;
    } catch (error) {
      if (!(error instanceof ApiError && error.retriable)) throw error;
      problem = error;
    }
    if (clock.monotonic() >= until) return { ok: false, problem };
    await clock.sleep(lookEveryMs);
  }
}

function failed(problem: string): Outcome {
  return { ok: false, problem };
}
