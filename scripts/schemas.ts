import { globalRegistry, z } from 'zod';
import { fileSchema as nerveFile } from '../packages/nerve/src/config/schema.ts';
import { serviceSchema as nerveService } from '../packages/nerve/src/config/service.ts';
import { agentFileSchema } from '../packages/synapse/src/config/agentFile.ts';
import { statsdKeys } from '../packages/synapse/src/config/main.ts';
import { serviceShape } from '../packages/synapse/src/config/service.ts';
import {
  fileOutputKeys,
  fileOutputServiceKeys,
} from '../packages/synapse/src/generators/fileOutput/blocks.ts';
import { haproxyKeys } from '../packages/synapse/src/generators/haproxy/block/schema.ts';
import { haproxyServiceKeys } from '../packages/synapse/src/generators/haproxy/block/serviceSchema.ts';
import { nginxKeys, nginxServiceKeys } from '../packages/synapse/src/generators/nginx/blocks.ts';
import {
  templateBlockKeys,
  templateServiceKeys,
} from '../packages/synapse/src/generators/template/blocks.ts';
import { resolvers } from '../packages/synapse/src/resolvers/index.ts';
import { watchers } from '../packages/synapse/src/watchers/index.ts';

/** The part of JSON Schema that ours consist of. */
export interface JsonSchema {
  readonly [key: string]: unknown;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: string | number | boolean | null;
  readonly enum?: readonly (string | number | boolean | null)[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

// The agents read these leniently and warn about unknown keys; an editor should underline them.
const single = [
  z.strictObject(watchers.base.options.shape),
  z.strictObject(watchers.consul.options.shape),
  z.strictObject(watchers.dns.options.shape),
  z.strictObject(watchers.docker.options.shape),
  z.strictObject(watchers.ec2tag.options.shape),
  z.strictObject(watchers.etcd.options.shape),
  z.strictObject(watchers.file.options.shape),
  z.strictObject(watchers.marathon.options.shape),
  z.strictObject(watchers.zookeeper.options.shape),
  z.strictObject(watchers.zookeeper_dns.options.shape),
  z.strictObject(watchers.zookeeper_dns_poll.options.shape),
  z.strictObject(watchers.zookeeper_poll.options.shape),
] as const;
const { shape: multi } = watchers.multi.options;
const several = {
  watchers: z
    .record(z.string(), z.discriminatedUnion('method', [...single]))
    .describe(multi.watchers.description ?? ''),
  resolver: z
    .discriminatedUnion('method', [
      z.strictObject(resolvers.union.options.shape),
      z.strictObject(resolvers.sequential.options.shape),
      z.strictObject(resolvers.s3_toggle.options.shape),
      z.strictObject(resolvers.file_toggle.options.shape),
      z.strictObject(resolvers.base.options.shape),
    ])
    .describe(multi.resolver.description ?? ''),
};
const discovery = z.discriminatedUnion('method', [...single, z.strictObject({ ...multi, ...several })]);
const beside = z.strictObject({
  method: z.literal('multi').nullish(),
  watchers: several.watchers.nullish(),
  resolver: several.resolver,
});
const synapseService = z.strictObject({
  discovery: discovery.describe('Where the instances come from.'),
  discovery_multi: beside
    .nullish()
    .describe('More watchers beside that of `discovery`, which is called `primary`, and their resolver.'),
  ...serviceShape,
  haproxy: haproxyServiceKeys.optional().describe("What the service's part of haproxy.cfg looks like."),
  nginx: nginxServiceKeys().optional().describe("What the service's part of nginx.conf looks like."),
  file_output: fileOutputServiceKeys().optional().describe('Whether the service has a file.'),
  template: templateServiceKeys().optional().describe('Whether templates are given the service.'),
});
const synapseFile = z.strictObject({
  services: z.record(z.string(), synapseService).nullish().describe('The services, by name.'),
  service_conf_dir: z
    .string()
    .min(1)
    .optional()
    .describe('A directory of services, <service>.yaml or <service>.json, which go before those here.'),
  statsd: z
    .strictObject(statsdKeys.shape)
    .nullish()
    .describe('Send metrics to DogStatsD, under the names of the Ruby synapse. Nowhere unless given.'),
  haproxy: haproxyKeys
    .nullable()
    .optional()
    .describe('The HAProxy that is kept in step. Empty, or {}, takes every preset.'),
  nginx: nginxKeys().optional().describe('The nginx that is kept in step.'),
  file_output: fileOutputKeys().optional().describe('Write the instances of each service into a file.'),
  template: templateBlockKeys()
    .optional()
    .describe('Make files of templates, and run a command after each change.'),
});

function toJsonSchema(schema: z.ZodType, title: string): JsonSchema {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    target: 'draft-7',
    override: ({ zodSchema, jsonSchema }) => {
      // Zod leaves the default out where a value is transformed after it was read.
      const { def } = zodSchema._zod;
      const fallback = def.type === 'default' ? def.defaultValue : globalRegistry.get(zodSchema)?.default;
      if (fallback !== undefined && typeof fallback !== 'bigint') jsonSchema.default ??= fallback as never;
    },
  });
  const { $schema, ...rest } = json;
  return { $schema, title, ...rest } as JsonSchema;
}

/** Every schema by its file name in config/schema/: what the agents read, as JSON Schema for editors. */
export const schemas: Readonly<Record<string, JsonSchema>> = {
  'nerve.schema.json': toJsonSchema(nerveFile, 'nerve.yaml'),
  'nerve-service.schema.json': toJsonSchema(
    nerveService,
    'One instance: a file of service_conf_dir of nerve',
  ),
  'synapse.schema.json': toJsonSchema(synapseFile, 'synapse.yaml'),
  'synapse-service.schema.json': toJsonSchema(
    synapseService,
    'One service: a file of service_conf_dir of synapse',
  ),
  'synapse-agent.schema.json': toJsonSchema(agentFileSchema(), 'agent.yaml, beside synapse.yaml'),
};
