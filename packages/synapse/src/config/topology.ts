import { hostname } from 'node:os';
import { type AdminAddress, parseAddress } from '@smartstack/agent';
import { aclEntry, parseHosts, type ZkAcl, type ZkPath } from '@smartstack/registry';
import * as z from 'zod';

import { membership, networkProblem } from '../networks.js';
import { isAny, parseTarget, type Target } from '../topology/numbers/target.js';

/** What a name of this host may be: it is that of a znode. */
const instanceName = /^[A-Za-z0-9_][\w.:-]{0,127}$/;

const place = () =>
  z.string().transform((text, context): AdminAddress => {
    const parsed = parseAddress(text);
    if (parsed.ok) return parsed.address;
    context.addIssue({ code: 'custom', message: parsed.problem });
    return z.NEVER;
  });

function isEnsemble(hosts: readonly string[]): boolean {
  try {
    parseHosts(hosts);
    return true;
  } catch {
    return false;
  }
}

/** Networks that are nobody's but one's own; what listens on loopback does not expect others. */
const usualNetworks = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'];

const target = () =>
  z.string().transform((text, context): Target => {
    const parsed = parseTarget(text);
    if (parsed !== undefined && !isAny(parsed.host)) return parsed;
    const message = 'expected an IP address of this host and a port, as other hosts reach it: 10.0.0.5:3457';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

const network = () =>
  z.string().superRefine((text, context) => {
    const message = networkProblem(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

/** `topology.numbers`. */
const numbersSettings = () =>
  z
    .strictObject({
      key_file: z
        .string()
        .startsWith('/', 'expected an absolute path')
        .describe(
          'A file with a key that all hosts of the fleet share, a line of at least 32 characters: `openssl rand -hex 32`. Who asks, and who answers, proves with it that they have it; it is never sent. With several lines the first is used and each is good, so that keys can be exchanged. Read anew whenever it is needed. Not the token of `admin`.',
        ),
      listen: target()
        .nullish()
        .describe(
          "Where other hosts may ask for this host's numbers, as IP:port, and for nothing else; told in its znode. Absent: this host only asks.",
        ),
      networks: z
        .array(network())
        .min(1)
        .nullish()
        .meta({ default: usualNetworks })
        .describe(
          `Only addresses in these are asked, whatever znodes say, and only from these it may be asked; by default ${usualNetworks.join(', ')}.`,
        ),
    })
    .superRefine(({ listen, networks }, context) => {
      if (!listen || membership(networks ?? usualNetworks)(listen.host)) return;
      const message = `${listen.host} is in none of networks: other hosts would not ask it`;
      context.addIssue({ code: 'custom', path: ['listen'], message });
    });

/** `topology` of agent.yaml. */
export const topologySettings = () =>
  z
    .strictObject({
      interval: z
        .number()
        .min(1)
        .max(600)
        .default(10)
        .describe(
          "How often the host's sockets are looked at to tell who calls, never for more than 1 % of the time; and, while somebody asks, what other hosts tell. Seconds.",
        ),
      instance_id: z
        .string()
        .regex(instanceName, "expected letters, digits, '_', '.', ':' and '-'")
        .nullish()
        .describe("What this host is called: nerve's `instance_id`. The host's name by default."),
      nerve_api: z
        .union([z.literal(false), place()])
        .nullish()
        .meta({ default: '/run/nerve/nerve.sock' })
        .describe(
          'Where the nerve of this host is asked which services it registers, a socket or host:port; false for nobody. By default its socket, else 127.0.0.1:3454.',
        ),
      zk_hosts: z
        .array(z.string().min(1))
        .min(1)
        .refine(isEnsemble, 'expected host:port each; the last may carry a chroot: host:port/smartstack')
        .nullish()
        .describe(
          'The ZooKeeper where the hosts of a fleet tell each other who calls whom: `host:port` each, as in a discovery. Absent: nothing is told or read.',
        ),
      zk_path: z
        .string()
        .regex(/^(\/[^/\0]+)+$/, 'expected an absolute path without a slash at its end')
        .default('/smartstack/mesh/v1/hosts')
        .describe('Below which znode.'),
      zk_acl: z
        .array(aclEntry)
        .min(1)
        .nullish()
        .meta({ default: ['world:anyone:cdrwa'] })
        .describe("Access control list of this host's znode: `scheme:id:permissions` each."),
      numbers: numbersSettings()
        .nullish()
        .describe(
          'Live numbers of other hosts, over the network. Absent: nobody is asked, and nobody is told.',
        ),
    })
    .superRefine(({ numbers, zk_hosts: hosts }, context) => {
      if (!numbers || hosts) return;
      const message = 'needs topology.zk_hosts: that is where hosts find each other';
      context.addIssue({ code: 'custom', path: ['numbers'], message });
    })
    .prefault({})
    .describe('Who calls whom.');

/** How hosts tell each other their numbers. */
export interface NumbersSettings {
  readonly keyFile: string;
  /** Undefined: this one only asks. */
  readonly listen: Target | undefined;
  /** Addresses, or networks. */
  readonly networks: readonly string[];
}

/** Where and how hosts tell each other who calls whom. */
export interface MeshSettings {
  readonly hosts: readonly string[];
  readonly path: ZkPath;
  readonly acl: readonly ZkAcl[] | undefined;
  /** Undefined: nobody is asked or told. */
  readonly numbers: NumbersSettings | undefined;
}

/** How it is found out who calls whom, and who is told. */
export interface TopologySettings {
  readonly everyMs: number;
  readonly instanceId: string;
  /** Where nerve is asked, in this order; nowhere: an empty list. Undefined: in the usual places. */
  readonly nerve: readonly AdminAddress[] | undefined;
  /** Undefined: nobody is told. */
  readonly mesh: MeshSettings | undefined;
}

/** What the settings mean. */
export function readTopology(read: z.output<ReturnType<typeof topologySettings>>): TopologySettings {
  const { nerve_api: nerve, zk_hosts: hosts, zk_path: path, zk_acl: acl, numbers } = read;
  return {
    everyMs: Math.round(read.interval * 1000),
    instanceId: read.instance_id ?? hostname().replaceAll(/[^\w.:-]/g, '_'),
    nerve: nerve === null || nerve === undefined ? undefined : nerve === false ? [] : [nerve],
    mesh: hosts
      ? { hosts, path: path as ZkPath, acl: acl ?? undefined, numbers: readNumbers(numbers) }
      : undefined,
  };
}

function readNumbers(
  numbers: z.output<ReturnType<typeof topologySettings>>['numbers'],
): NumbersSettings | undefined {
  if (!numbers) return undefined;
  const { key_file: keyFile, listen, networks } = numbers;
  return { keyFile, listen: listen ?? undefined, networks: networks ?? usualNetworks };
}
