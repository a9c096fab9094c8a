import { exitCode } from '@smartstack/agent';
import type { Console } from './console.js';
import { json, readService, readServices, servicePath } from './answers.js';
import type { Action } from './command.js';
import { usual } from './usual.js';
import { drainDetails, isWell, servicePage, servicesTable } from './statusTable.js';
import { connect, cut, plainText } from '@smartstack/agent/cli';

/** `nerve status`: 0 when all that is shown is up and not drained, else 1. */
export async function showStatus(
  action: Extract<Action, { kind: 'status' }>,
  { clock, width, print }: Console,
): Promise<number> {
  const client = await connect(action, usual, clock);
  const { service } = action;
  const answer = await client.call('GET', service === undefined ? '/v1/services' : servicePath(service));
  const page = { now: clock.now(), width };
  let lines: readonly string[];
  let well: boolean;
  if (service === undefined) {
    const { drain, services } = readServices(answer);
    const host = drain === null ? [] : [cut(`host drained, ${plainText(drainDetails(drain))}`, width), ''];
    lines = [...host, ...servicesTable(services, page)];
    well = drain === null && services.every(isWell);
  } else {
    const one = readService(answer);
    lines = servicePage(one, page);
    well = isWell(one);
  }
  print('stdout', action.output === 'json' ? json(answer) : lines.join('\n'));
  return well ? exitCode.stopped : exitCode.failure;
}
