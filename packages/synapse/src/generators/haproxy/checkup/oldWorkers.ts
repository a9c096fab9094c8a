import { describeError } from '@smartstack/agent';

import { failed, passed, unknown, warning } from '../../../checkup/types.js';
import { readMaster } from '../process/masterCli.js';
import { hardStopAfterMs } from '../process/oldWorkers.js';
import { answerMs, type HaproxyPoint } from './subject.js';

/** More of them than this cost memory that somebody will miss. */
const manyWorkers = 5;
/** HAProxy ends a worker whose time is over; one that is there so much later will not go by itself. */
const graceSeconds = 5;

/** That workers of earlier files come to an end. */
export const oldWorkers: HaproxyPoint = {
  id: 'haproxy-old-workers',
  group: 'haproxy',
  title: 'workers of earlier files come to an end',
  when: 'running',
  examine: async ({ config: { base, masterSocketPath: path }, clock }, signal) => {
    if (path === undefined) return unknown('only a master can tell: no `master_socket_path` is configured');
    const master = await readMaster(path, { clock, deadlineMs: answerMs, signal }).catch(describeError);
    if (typeof master === 'string') return unknown(`the master does not answer (${master})`);
    const { workers, oldWorkers: old } = master;
    const limitMs = hardStopAfterMs(base);
    // An old one began to end when the newest began to serve.
    const since = Math.min(...workers.map(({ uptimeSeconds }) => uptimeSeconds));
    const lines = old.map(({ pid, reloads }) => `pid ${pid} outlived ${reloads} reloads`);
    if (limitMs !== undefined && old.length > 0 && since > limitMs / 1000 + graceSeconds)
      return failed(
        lines,
        `hard-stop-after is over, and they are still there: kill -9 them, and report it to HAProxy`,
      );
    if (old.length > manyWorkers)
      return warning(
        lines,
        'lower `hard_stop_after` or `max_old_workers`, or find who keeps connections open',
      );
    return passed(old.length === 0 ? 'none' : `${old.length} still end their requests`);
  },
};
