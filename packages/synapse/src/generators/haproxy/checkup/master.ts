import { describeError } from '@smartstack/agent';

import { failed, passed, warning } from '../../../checkup/types.js';
import { readMaster } from '../process/masterCli.js';
import { answerMs, type HaproxyPoint } from './subject.js';

/** That there is a master to reload through. */
export const masterConfigured: HaproxyPoint = {
  id: 'haproxy-master-worker',
  group: 'haproxy',
  title: 'HAProxy is reloaded through its master, or by a command',
  when: 'always',
  examine: ({ config: { masterSocketPath, reloadCommand, doReloads } }) => {
    if (masterSocketPath !== undefined) return Promise.resolve(passed(masterSocketPath));
    const hint =
      'start HAProxy with -W -S SOCKET (synapse-haproxy.service does) and name it: `master_socket_path`';
    if (!doReloads) return Promise.resolve(warning(['`do_reloads` is false: nobody reloads it'], hint));
    return Promise.resolve(
      reloadCommand === undefined
        ? failed(['there is neither `master_socket_path` nor `reload_command`'], hint)
        : warning(
            ['`reload_command` reloads it: nobody can tell how that ended, nor count old workers'],
            hint,
          ),
    );
  },
};

/** That it runs, and loaded its last file. */
export const masterAnswers: HaproxyPoint = {
  id: 'haproxy-master',
  group: 'haproxy',
  title: "HAProxy's master answers, and its last reload succeeded",
  when: 'running',
  examine: async ({ config: { masterSocketPath: path }, clock }, signal) => {
    if (path === undefined) return { outcome: 'unknown', summary: 'no `master_socket_path` is configured' };
    try {
      const {
        pid,
        reloads,
        failed: failures,
        workers,
      } = await readMaster(path, {
        ...{ clock, deadlineMs: answerMs, signal },
      });
      const hint = 'journalctl -u synapse-haproxy has what it said';
      if (workers.length === 0) return failed([`the master (pid ${pid}) has no worker`], hint);
      if (failures > 0)
        return failed(
          [`its last ${failures} of ${reloads} reloads failed: the worker before serves on`],
          hint,
        );
      return passed(`pid ${pid}, ${reloads} reloads`);
    } catch (error) {
      return failed(
        [`${path}: ${describeError(error)}`],
        'is HAProxy running? systemctl status synapse-haproxy. Its sockets are for group synapse: run this as root, or as user synapse',
      );
    }
  },
};
