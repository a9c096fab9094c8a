import { runCommand } from '@smartstack/agent/command';

import { failed, passed, warning } from '../../../checkup/types.js';
import { capabilitiesOf, isAtLeast } from '../plan/capabilities.js';
import type { HaproxyPoint } from './subject.js';

/** For one answer of the executable, in milliseconds. */
const versionMs = 5_000;

/** The oldest that anything was read and tried of. */
const oldest = [2, 4] as const;

/** The executable, and what it can do. */
export const version: HaproxyPoint = {
  id: 'haproxy-version',
  group: 'haproxy',
  title: 'HAProxy is a version that can do all that synapse asks of it',
  when: 'always',
  examine: async ({ config: { haproxyBinary, latencyCounter }, clock }, signal) => {
    const options = { clock, timeoutMs: versionMs, signal };
    const { output, exitCode, problem } = await runCommand(haproxyBinary, ['-v'], options);
    const found = /^HA-?Proxy version (\S+)/m.exec(output)?.[1];
    if (found === undefined) {
      const why = problem ?? `it exits with ${exitCode ?? 'a signal'}`;
      return failed(
        [`${haproxyBinary} -v says nothing (${why})`],
        'install HAProxy, or say where it is: `haproxy_binary` in the haproxy block',
      );
    }
    const { release, dynamicServers, counterArrays } = capabilitiesOf(found);
    const upgrade = 'upgrade to HAProxy 2.6 or later';
    if (!isAtLeast(release, oldest))
      return failed([`${found}: nothing before ${oldest.join('.')} was ever tried`], upgrade);
    const lacks = [
      ...(dynamicServers ? [] : [`${found}: each server that comes or goes is a reload`]),
      ...(latencyCounter === undefined || counterArrays ? [] : [`${found}: latencies cannot be counted`]),
    ];
    return lacks.length > 0 ? warning(lacks, upgrade) : passed(found);
  },
};
