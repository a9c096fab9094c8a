import * as z from 'zod';
import type { Instance } from '../instance.js';
import { defineCodec } from './define.js';
import { parseObject, readEndpoint } from './fields.js';
import { rubyJson } from './rubyJson.js';
import type { InstanceCodec } from './types.js';

/** Nerve's own format: what Ruby's nerve writes byte for byte, and what Ruby's synapse accepts. */
export const nerveCodec: InstanceCodec = {
  encode: (instance) => Buffer.from(rubyJson(fields(instance))),
  decode: (data) => readEndpoint(parseObject(data)),
};

/** In Ruby's order; a member that is undefined is not written. */
function fields(instance: Instance): Record<string, unknown> {
  return {
    host: instance.host,
    port: instance.portAsText ? String(instance.port) : instance.port,
    name: instance.name,
    weight: instance.weight,
    haproxy_server_options: instance.haproxyServerOptions,
    labels: instance.labels,
  };
}

/** `decode: {method: nerve}`, the default. */
export const nerve = defineCodec({
  options: z.strictObject({ method: z.literal('nerve') }),
  create: () => nerveCodec,
});
