import { type InstanceCodec, type LeftBehind, nerveCodec, parseNodeName } from '@smartstack/registry';
import type { Registrant } from './reporter.js';

/**
 * Recognises the nodes that an earlier run of the agent has left of a registration: named by its instance_id, or by
 * data that name it, and at its host and port. Never throws: what stands there is anyone's.
 */
export function leftBehind(
  { instanceId, host, port }: Registrant,
  written: InstanceCodec = nerveCodec,
): LeftBehind {
  const isOursAs = (data: Buffer, codec: InstanceCodec): boolean => {
    try {
      const instance = codec.decode(data);
      // A serverset has no place for a name that is no number.
      const named = instance.name ?? (codec === nerveCodec ? undefined : instanceId);
      return named === instanceId && instance.host === host && instance.port === port;
    } catch {
      return false;
    }
  };
  // An earlier run may have been told another format.
  const isOurs = (data: Buffer): boolean => isOursAs(data, written) || isOursAs(data, nerveCodec);
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
