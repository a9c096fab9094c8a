import { readBinds } from '../desired/bindLines.js';
import type { ConfigMessage } from './configMessages.js';
import { listenProblem } from '../../listenProblem.js';
import { hostPort } from '../../names.js';

/**
 * What `haproxy -c` does not find: addresses in `config` (the text of a haproxy.cfg) on which nobody can listen, because
 * another process does or this machine has no such address. One of them makes HAProxy refuse the whole file, and
 * silences its working frontends for as long as it tries. Ports in `bound` are HAProxy's own already.
 */
export async function addressProblems(
  config: string,
  bound: ReadonlySet<number>,
): Promise<readonly ConfigMessage[]> {
  const problems: ConfigMessage[] = [];
  // One after the other: two of the file's own addresses must not meet each other.
  for (const bind of readBinds(config)) {
    if (bound.has(bind.port)) continue;
    const problem = await listenProblem(bind);
    if (problem === undefined) continue;
    const { section, line, host, port } = bind;
    const text = `${section}: nobody can listen on ${hostPort(host, port)}: ${problem}`;
    problems.push({ severity: 'error', text, line, isAddress: true });
  }
  return problems;
}
