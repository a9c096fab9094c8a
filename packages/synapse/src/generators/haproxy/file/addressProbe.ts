import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Bind, readBinds } from '../desired/bindLines.js';
import type { ConfigMessage } from './configMessages.js';
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
    const problem = await problemOf(bind);
    if (problem === undefined) continue;
    const { section, line, host, port } = bind;
    const text = `${section}: nobody can listen on ${hostPort(host, port)}: ${problem}`;
    problems.push({ severity: 'error', text, line, isAddress: true });
  }
  return problems;
}

/** Other problems (no permission for a low port, for one) need not be HAProxy's. */
async function problemOf({ host, port, bothFamilies, isForeign }: Bind): Promise<string | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen({ host, port, exclusive: true, ipv6Only: !bothFamilies });
    await once(server, 'listening');
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') return 'another process listens there';
    return code === 'EADDRNOTAVAIL' && !isForeign ? 'this machine has no such address' : undefined;
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
