import * as z from 'zod';
import { nerve } from './nerve.js';
import { serverset } from './serverset.js';
import type { InstanceCodec } from './types.js';

export { nerveCodec } from './nerve.js';
export { serversetCodec } from './serverset.js';
export { DecodeError, type InstanceCodec } from './types.js';

/** Every format of a registration; the key is `decode.method` in synapse's configuration. */
export const codecs = { nerve, serverset } as const;

/** The `decode` key of a zookeeper watcher. */
export const codecOptions = z.discriminatedUnion('method', [codecs.nerve.options, codecs.serverset.options]);
export type CodecOptions = z.infer<typeof codecOptions>;

/** The codec that `decode` asks for; nerve's where there is none. */
export function createCodec(options: CodecOptions = { method: 'nerve' }): InstanceCodec {
  switch (options.method) {
    case 'nerve':
      return codecs.nerve.create(options);
    case 'serverset':
      return codecs.serverset.create(options);
  }
}
