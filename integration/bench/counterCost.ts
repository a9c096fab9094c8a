import { readRows } from '../../packages/synapse/src/generators/haproxy/runtime/workerCounters.ts';
import { advance, noTotals } from '../../packages/synapse/src/generators/haproxy/counters/totals.ts';
import { askSocket } from '../harness/haproxy.ts';
import { between, costOf } from './processCost.ts';
import type { ScaleBed } from './scaleBed.ts';
import type { Figures } from './scaleFigures.ts';

const rounds = 10;

/** What one reading of HAProxy's counters costs, here and there: of sections alone, and with all servers. */
export async function measureCounters({ vm, worker }: ScaleBed, figures: Figures): Promise<void> {
  for (const hasServers of [false, true]) {
    let [totals, bytes] = [noTotals, 0];
    const ask = async (command: string): Promise<string> => {
      const answer = await askSocket(vm.adminSocket, command, 10_000);
      bytes = answer.length;
      return answer;
    };
    const before = await costOf(worker);
    const used = process.cpuUsage();
    for (let round = 0; round < rounds; round += 1) {
      const rows = await readRows(ask, hasServers);
      totals = advance(totals, { worker: 'worker', rows, hasServers, isOlder: false });
    }
    const { user, system } = process.cpuUsage(used);
    const what = `counters ${hasServers ? 'of all servers' : 'of sections'}`;
    figures.set(`${what}: one reading, ms of CPU`, (user + system) / 1_000 / rounds);
    figures.set(`${what}: HAProxy, ms of CPU`, between(before, await costOf(worker)).cpuMs / rounds);
    figures.set(`${what}: KiB`, bytes / 1024);
  }
}
