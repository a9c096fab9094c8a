import { hostname } from 'node:os';
import { type AdminAddress, parseAddress } from '@smartstack/agent';
import { aclEntry, parseHosts, type ZkAcl, type ZkPath } from '@smartstack/registry';
import * as z from 'zod';

/** What a name of this host may be: it is that of a znode. */
const instanceName = /^[A-Za-z0-9_][\w.:-]{0,127}$/;

const place = z.string().transform((text, context): AdminAddress => {
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

/** `topology` of agent.yaml. */
export const topologySettings = z
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
      .union([z.literal(false), place])
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
  })
  .prefault({})
  .describe('Who calls whom.');

/** Where and how hosts tell each other who calls whom. */
export interface MeshSettings {
  readonly hosts: readonly string[];
  readonly path: ZkPath;
  readonly acl: readonly ZkAcl[] | undefined;
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
export function readTopology(read: z.output<typeof topologySettings>): TopologySettings {
  const { nerve_api: nerve, zk_hosts: hosts, zk_path: path, zk_acl: acl } = read;
  return {
    everyMs: Math.round(read.interval * 1000),
    instanceId: read.instance_id ?? hostname().replaceAll(/[^\w.:-]/g, '_'),
    nerve: nerve === null || nerve === undefined ? undefined : nerve === false ? [] : [nerve],
    mesh: hosts ? { hosts, path: path as ZkPath, acl: acl ?? undefined } : undefined,
  };
}
