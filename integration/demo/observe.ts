import { fourLetterWord } from '../harness/zookeeper.ts';

/** Passes that reloaded HAProxy: the count of reloads itself has one for each reason of a reload. */
export function reloads(port: number): Promise<number> {
  return metric(port, 'smartstack_reconcile_total', 'outcome="reload"');
}

/** Reloads that HAProxy refused. */
export function failedReloads(port: number): Promise<number> {
  return metric(port, 'smartstack_haproxy_reload_total', 'result="failure"');
}

/** One server of HAProxy's statistics. */
export interface ServerStatistics {
  /** HAProxy's word: UP, DOWN, MAINT, no check …, without its count of checks (`UP 1/3`). */
  readonly status: string;
  readonly weight: number;
}

async function getText(port: number, path: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(1_000) });
  if (!answer.ok) throw new Error(`status ${answer.status} from ${path} on port ${port}`);
  return answer.text();
}

/** Whether an agent says that all it looks after is in step. */
export async function isReady(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(1_000) });
  return answer.ok;
}

/** What the running HAProxy says, by `service`, then by the instance's port. Rejects while it cannot be asked. */
export async function haproxyServers(port: number): Promise<Map<string, Map<number, ServerStatistics>>> {
  const [header = '', ...rows] = (await getText(port, '/;csv')).trim().split('\n');
  const columns = header.replace(/^# /, '').split(',');
  const servers = new Map<string, Map<number, ServerStatistics>>();
  for (const row of rows) {
    const cells = row.split(',');
    const cell = (name: string): string => cells[columns.indexOf(name)] ?? '';
    // A server's name ends with host:port; the rows FRONTEND and BACKEND have none.
    const instancePort = Number(/:(\d+)$/.exec(cell('svname'))?.[1]);
    if (!(instancePort > 0)) continue;
    const service = servers.get(cell('pxname')) ?? new Map<number, ServerStatistics>();
    service.set(instancePort, {
      status: cell('status').replace(/ -?\d+\/\d+$/, ''),
      weight: Number(cell('weight')),
    });
    servers.set(cell('pxname'), service);
  }
  return servers;
}

/** Registrations that ZooKeeper holds now. Rejects while it cannot be asked. */
export async function ephemeralNodes(port: number): Promise<number> {
  const answer = await fourLetterWord(port, 'mntr', 1_000);
  const count = /^zk_ephemerals_count\s+(\d+)$/m.exec(answer)?.[1];
  if (count === undefined) throw new Error('ZooKeeper does not serve');
  return Number(count);
}

/** The value of one metric of an agent, summed over its series with `label`; 0 while it has none. */
async function metric(port: number, name: string, label: string): Promise<number> {
  let sum = 0;
  for (const line of (await getText(port, '/metrics')).split('\n')) {
    const [, labels, value] = new RegExp(`^${name}\\{(.*)\\} (\\S+)$`).exec(line) ?? [];
    if (labels?.split(',').includes(label)) sum += Number(value);
  }
  return sum;
}
