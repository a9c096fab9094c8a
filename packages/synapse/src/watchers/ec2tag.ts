import type { Instance } from '@smartstack/registry';
import * as z from 'zod';

import type { BlockIssue } from '../catalog/types.js';
import { discoveryBase } from '../config/fields.js';
import { openEc2 } from './aws/ec2.js';
import { pollSource } from './source/poll.js';
import { maxInstances } from '../catalog/limit.js';
import { defineWatcher } from './types.js';

const usualInterval = 15;
/** All pages of an answer take no longer, in milliseconds. */
const timeoutMs = 30_000;

const options = () =>
  z.object({
    method: z.literal('ec2tag'),
    tag_name: z.string().min(1).describe('The tag of the instances.'),
    tag_value: z.string().describe('Its value.'),
    aws_region: z.string().min(1).nullish().describe('The region; default: that of the usual chain.'),
    aws_access_key_id: z
      .string()
      .min(1)
      .nullish()
      .describe('A key, with aws_secret_access_key; default: the usual chain (environment, files, role).'),
    aws_secret_access_key: z.string().min(1).nullish().describe('Its secret.'),
    check_interval: z
      .number()
      .positive()
      .max(86_400)
      .nullish()
      .describe('Seconds between two questions.')
      .meta({ default: usualInterval }),
    ...discoveryBase,
  });

type Options = z.output<ReturnType<typeof options>>;

/** Half a key is none: the usual chain would be asked instead, unnoticed. */
function lint({ aws_access_key_id: key, aws_secret_access_key: secret }: Options): readonly BlockIssue[] {
  if ((key == null) === (secret == null)) return [];
  const [has, lacks] =
    key == null
      ? ['aws_secret_access_key', 'aws_access_key_id']
      : ['aws_access_key_id', 'aws_secret_access_key'];
  return [{ path: [has], message: `Needs ${lacks} beside it`, severity: 'error' }];
}

/** Running instances of EC2 with a tag. EC2 knows no ports: the service has to say which, with backend_port_override. */
export const ec2tagWatcher = defineWatcher({
  method: 'ec2tag',
  options,
  lint,
  portless: () => [
    {
      path: ['method'],
      message: 'EC2 knows no ports: say backend_port_override beside discovery, the port of the instances',
      severity: 'error',
    },
  ],
  create: (given, context) => ({
    run: async (emit, signal) => {
      const {
        tag_name: name,
        tag_value: value,
        aws_access_key_id: key,
        aws_secret_access_key: secret,
      } = given;
      const ec2 = openEc2({
        region: given.aws_region ?? undefined,
        credentials:
          key == null || secret == null ? undefined : { accessKeyId: key, secretAccessKey: secret },
        tag: { name, value },
        maxInstances,
      });
      const poll = {
        source: `EC2 instances with ${name}=${value}`,
        everyMs: (given.check_interval ?? usualInterval) * 1000,
        timeoutMs,
        read: async (asking: AbortSignal) => {
          const found = await ec2.read(asking);
          const problems = found
            .filter(({ privateIp }) => privateIp === undefined)
            .map(({ id }) => ({ path: id, reason: 'it has no private address' }));
          return { instances: found.flatMap(instanceOf), problems: problems.slice(0, 50) };
        },
        ...{ emit, context },
      };
      try {
        await pollSource(poll, signal);
      } finally {
        ec2.close();
      }
    },
  }),
});

function instanceOf(found: {
  readonly privateIp: string | undefined;
  readonly privateName: string | undefined;
}): Instance[] {
  if (found.privateIp === undefined) return [];
  // The port is the service's to say; until then there is none.
  return [
    { host: found.privateIp, port: 0, ...(found.privateName !== undefined && { name: found.privateName }) },
  ];
}
