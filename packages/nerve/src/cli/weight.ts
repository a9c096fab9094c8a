import { exitCode } from '@smartstack/agent';
import type { Console } from './console.js';
import { json, readResult, readService, servicePath } from './answers.js';
import type { Action } from './command.js';
import { connect } from '@smartstack/agent/cli';
import { usual } from './usual.js';
import { whoAsks } from './drain.js';

/** `nerve weight`: shows, sets or clears. */
export async function orderWeight(
  action: Extract<Action, { kind: 'weight' }>,
  { clock, env, print }: Console,
): Promise<number> {
  const { service, change, output } = action;
  const client = await connect(action, usual, clock);
  const path = servicePath(service, '/weight');
  if (change !== undefined) {
    const answer =
      change === 'clear'
        ? await client.call('DELETE', path)
        : await client.call('PUT', path, { weight: change, by: whoAsks(env) });
    if (!readResult(answer).saved)
      print('stderr', 'nerve: it could not be saved: a restart of the agent forgets it');
  }
  const { weight } = readService(await client.call('GET', servicePath(service)));
  const { configured, ordered, published } = weight;
  const text = `configured ${configured ?? '-'}, ordered ${ordered?.value ?? '-'}, published ${published ?? '-'}`;
  print('stdout', output === 'json' ? json(weight) : text);
  return exitCode.stopped;
}
