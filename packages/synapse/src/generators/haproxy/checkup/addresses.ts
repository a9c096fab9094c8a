import { failed, passed } from '../../../checkup/types.js';
import { addressProblems } from '../file/addressProbe.js';
import { preview } from '../preview.js';
import { readMaster } from '../process/masterCli.js';
import { askOnce } from '../runtime/runtimeClient.js';
import { answerMs, type HaproxyPoint } from './subject.js';

/** Before the first start: that nobody else listens where HAProxy will. */
export const addresses: HaproxyPoint = {
  id: 'haproxy-addresses',
  group: 'haproxy',
  title: 'nobody else listens where HAProxy will',
  when: 'before',
  examine: async ({ config, view, clock }, signal) => {
    const { masterSocketPath, socketFilePaths } = config;
    const options = { clock, deadlineMs: answerMs, signal };
    const answers = await Promise.allSettled([
      ...(masterSocketPath === undefined ? [] : [readMaster(masterSocketPath, options)]),
      ...socketFilePaths.map((path) => askOnce(path, 'show version', options)),
    ]);
    if (answers.some(({ status }) => status === 'fulfilled')) return passed('HAProxy runs already');
    const { text } = await preview(config, view, { clock });
    const problems = await addressProblems(text, new Set());
    if (problems.length === 0) return passed();
    return failed(
      problems.map(({ text: said }) => said),
      'ss -ltnp says who listens there: stop it, or give the service another port',
    );
  },
};
