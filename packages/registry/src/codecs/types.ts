import { AgentError } from '@smartstack/agent';
import type { Instance } from '../instance.js';

/** One format of a registration's data. Pure. */
export interface InstanceCodec {
  /** The data of a registration. Throws RangeError for an instance that the format cannot express. */
  encode(instance: Instance): Buffer;
  /** The instance in a node's data, without `id`, which only the node's name tells. Throws DecodeError. */
  decode(data: Buffer): Instance;
}

/** Data in the registry that is not an instance. Concerns one node, never its siblings. */
export class DecodeError extends AgentError {
  constructor(message: string, cause?: unknown) {
    super('decode', message, { cause });
  }
}
