import { type LeftBehind, nerveCodec, parseNodeName } from '@smartstack/registry';
import type { Registrant } from './reporter.js';

/**
 * Recognises the nodes that an earlier run of the agent has left of a registration: named by its instance_id, or by
 * data that name it, and at its host and port. Never throws: what stands there is anyone's.
 */
export function leftBehind({ instanceId, host, port }: Registrant): LeftBehind {
  const isOurs = (data: Buffer): boolean => {
    try {
      const instance = nerveCodec.decode(data);
      return instance.name === instanceId && instance.host === host && instance.port === port;
    } catch {
      return false;
    }
  };
  const plain = `${instanceId}_`;
  return {
    name: (child) => {
      if (child.startsWith(plain) && /^(-?\d{10})?$/.test(child.slice(plain.length))) return true;
      const { data } = parseNodeName(child);
      return data !== undefined && isOurs(data);
    },
    data: isOurs,
  };
}
