import * as z from 'zod';
import type { Instance, Json } from '../instance.js';
import { defineCodec } from './define.js';
import { isObject, parseObject, readEndpoint } from './fields.js';
import { rubyJson } from './rubyJson.js';
import { DecodeError, type InstanceCodec } from './types.js';

/**
 * Twitter's serverset, as Ruby's synapse reads it: the `serviceEndpoint`, or the additional endpoint
 * that `endpointName` names; the shard is the instance's name. `status` is not looked at, as there. A shard is a
 * number to others who read it (Prometheus leaves out the whole node otherwise): another name is not written.
 */
export function serversetCodec(endpointName?: string): InstanceCodec {
  return {
    encode: (instance) => Buffer.from(rubyJson(member(instance, endpointName))),
    decode: (data) => {
      const { additionalEndpoints, serviceEndpoint, shard } = parseObject(data);
      const endpoint = endpointName ? additional(additionalEndpoints, endpointName) : serviceEndpoint;
      if (!isObject(endpoint)) throw new DecodeError('No serviceEndpoint');
      // The endpoint's own name counts for nothing, even where there is no shard.
      return readEndpoint({ ...endpoint, name: shard === false ? null : (shard ?? null) });
    },
  };
}

function additional(endpoints: Json | undefined, name: string): Json {
  const found = isObject(endpoints) && Object.hasOwn(endpoints, name) ? endpoints[name] : undefined;
  if (!isObject(found)) throw new DecodeError(`No additional endpoint ${JSON.stringify(name)}`);
  return found;
}

function member(instance: Instance, endpointName: string | undefined): Record<string, unknown> {
  const { host, port, weight, haproxyServerOptions, labels, name } = instance;
  const endpoint = {
    host,
    port: instance.portAsText ? String(port) : port,
    weight,
    haproxy_server_options: haproxyServerOptions,
    labels,
  };
  const shard = name !== undefined && /^(?:0|[1-9]\d{0,14})$/.test(name) ? Number(name) : undefined;
  return {
    serviceEndpoint: endpoint,
    additionalEndpoints: endpointName ? { [endpointName]: endpoint } : {},
    status: 'ALIVE',
    shard,
  };
}

/** `decode: {method: serverset, endpoint_name: http}`. */
export const serverset = defineCodec({
  options: z.strictObject({ method: z.literal('serverset'), endpoint_name: z.string().optional() }),
  create: (options) => serversetCodec(options.endpoint_name),
});
