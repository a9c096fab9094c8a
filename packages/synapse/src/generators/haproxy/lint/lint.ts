import type { Clock } from '@smartstack/agent';
import type { Finding } from '../../../catalog/types.js';
import { checkRendered } from './checked.js';
import type { LintInput } from './input.js';
import { serviceFindings } from './serviceRules.js';
import { topFindings } from './topRules.js';

/** All that a `haproxy` block and those of the services do and do not seem to do. Runs `haproxy -c`; changes nothing. */
export async function lintHaproxy(input: LintInput, clock: Clock): Promise<readonly Finding[]> {
  const { version, findings } = await checkRendered(input, clock);
  const all = [
    ...findings,
    ...topFindings(input),
    ...[...input.services].flatMap(([service, block]) => serviceFindings(service, block, input, version)),
  ];
  // What HAProxy itself says of a place goes before what is known of it in general.
  const told = new Set<string>();
  return all.filter(({ service, path, severity }) => {
    const key = JSON.stringify([service, path]);
    if (severity === 'error') told.add(key);
    return severity === 'error' || !told.has(key);
  });
}
