import { describeError } from '@smartstack/agent';

import { failed, passed, type Result, unknown, warning } from '../../../checkup/types.js';
import { askOnce } from '../runtime/runtimeClient.js';
import { answerMs, type HaproxyPoint } from './subject.js';

/** That commands reach it, with the right to change servers. */
export const adminSocket: HaproxyPoint = {
  id: 'haproxy-admin',
  group: 'haproxy',
  title: 'the admin socket of HAProxy answers, at level admin',
  when: 'running',
  examine: async ({ config: { socketFilePaths, doSocket }, clock }, signal) => {
    if (!doSocket)
      return warning(
        ['`do_socket` is false: each change is a reload, and nothing is counted'],
        'set it to true, and name the socket: `socket_file_path`',
      );
    if (socketFilePaths.length === 0) return unknown('no `socket_file_path` is configured');
    const options = { clock, deadlineMs: answerMs, signal };
    const results = await Promise.all(socketFilePaths.map((path) => askLevel(path, options)));
    return results.find(({ outcome }) => outcome !== 'passed') ?? results[0] ?? passed();
  },
};

async function askLevel(path: string, options: Parameters<typeof askOnce>[2]): Promise<Result> {
  try {
    const level = (await askOnce(path, 'show cli level', options)).trim();
    if (level === 'admin') return passed(path);
    return failed(
      [`${path}: the level is ${level.slice(0, 80)}`],
      'its `stats socket` line needs `level admin`',
    );
  } catch (error) {
    return failed(
      [`${path}: ${describeError(error)}`],
      'is HAProxy running, with that `stats socket` in the file that it loaded? Its sockets are for group synapse: run this as root, or as user synapse',
    );
  }
}
