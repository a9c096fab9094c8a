import { readFile } from 'node:fs/promises';
import { describeError } from '@smartstack/agent';

import { passed, type Result, unknown, warning } from '../../../checkup/types.js';
import { isTapSection, tapName } from '../desired/tapNames.js';
import { askOnce } from '../runtime/runtimeClient.js';
import { answerMs, type HaproxyPoint } from './subject.js';

/** How HAProxy lists a ring: `synapse-tap : type=buffer, 0 dropped, …`. */
const listed = new RegExp(`^\\s*${tapName}\\s*:`, 'm');

/** That what the file says of the tap is what runs. */
export const tapRing: HaproxyPoint = {
  id: 'observability-tap-ring',
  group: 'observability',
  title: 'the HAProxy that runs has a ring for the requests that are looked at',
  when: 'running',
  examine: async ({ config, clock }, signal) => {
    const { tap, doSocket, socketFilePaths, configFilePath } = config;
    if (!tap) return passed('switched off: `traffic.tap` of agent.yaml');
    if (!doSocket || socketFilePaths.length === 0) return unknown('there is no socket to ask through');
    const file = await readFile(configFilePath, 'utf8').catch(describeError);
    if (!file.split('\n').some((title) => isTapSection({ title: title.trim() })))
      return unknown(`${configFilePath} has none: observability-tap says why`);
    const options = { clock, deadlineMs: answerMs, signal };
    const results = await Promise.all(socketFilePaths.map((path) => askRing(path, options)));
    return results.find(({ outcome }) => outcome !== 'passed') ?? passed();
  },
};

async function askRing(path: string, options: Parameters<typeof askOnce>[2]): Promise<Result> {
  try {
    const answer = await askOnce(path, 'show events', options);
    if (listed.test(answer)) return passed();
    if (!answer.includes('type=')) return unknown('HAProxy lists no rings');
    return warning(
      [`${path}: there is no ring ${tapName} behind it, though the file has one`],
      'it loaded an older file: convergence-plan and haproxy-master say why it was not reloaded',
    );
  } catch {
    // One complaint is enough: that of haproxy-admin.
    return unknown('the admin socket does not answer');
  }
}
