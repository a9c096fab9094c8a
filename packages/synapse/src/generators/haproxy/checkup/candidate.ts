import { failed, passed, warning } from '../../../checkup/types.js';
import { checkRendered } from '../lint/checked.js';
import type { HaproxyPoint } from './subject.js';

/** As many lines of HAProxy as people read. */
const shownLines = 20;

/** The file that the configuration leads to, with an instance of each service, by the HAProxy that is installed. */
export const candidate: HaproxyPoint = {
  id: 'config-candidate',
  group: 'config',
  title: 'HAProxy accepts the file that synapse would write (haproxy -c)',
  when: 'always',
  examine: async ({ block, config, services, view, clock }) => {
    const { version, findings } = await checkRendered({ raw: block, config, services, view }, clock);
    const lines = findings
      .map(({ service, message }) => (service === undefined ? message : `${service}: ${message}`))
      .slice(0, shownLines);
    const hint = 'synapse lint says where each of these lines stands in the configuration';
    if (version === undefined)
      return failed(lines, 'install HAProxy, or say where it is: `haproxy_binary` in the haproxy block');
    if (findings.some(({ severity }) => severity === 'error')) return failed(lines, hint);
    return findings.length > 0 ? warning(lines, hint) : passed(version);
  },
};
