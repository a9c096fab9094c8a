import * as z from 'zod';
import type { Edge, Identity } from '../types.js';

/** A node has no more bytes: a hundred hosts of them can be read in a moment. */
export const maxNodeBytes = 64 * 1024;
/** More edges, or longer names, nobody reads. */
const [maxEdges, maxServices, maxName] = [1_000, 1_000, 256];

/** What one host tells the others of who calls whom there: nothing that changes all the time. */
export interface HostNode {
  readonly instanceId: string;
  readonly zone?: string | undefined;
  /** Version of synapse. */
  readonly agent: string;
  /** Where its numbers are served. */
  readonly api?: string | undefined;
  /** Services that nerve registers from there. */
  readonly services: readonly string[];
  readonly edges: readonly HostEdge[];
  /** There are more edges than fit. */
  readonly isCut: boolean;
}

/** Who calls whom on a host. */
export interface HostEdge {
  readonly source: string;
  readonly destination: string;
  readonly identity: Identity;
}

/** Why a node tells nothing. */
export type Unusable = 'version' | 'malformed' | 'tooLarge';

const name = z.string().min(1).max(maxName);
/** An identity of a newer agent is one that we do not know. */
const identity = z
  .enum(['declared', 'listener', 'unit', 'user', 'only-service', 'host', 'unknown'])
  .catch('unknown');

const versionOne = z.object({
  v: z.literal(1),
  instance_id: name,
  zone: name.nullish(),
  agent: name.catch('unknown'),
  api: name.nullish(),
  services: z.array(name).max(maxServices).catch([]),
  edges: z.array(z.union([z.tuple([name, name, identity]), z.tuple([name, name])])).max(maxEdges),
  cut: z.boolean().optional(),
});

/** As it is written; as many edges as fit. */
export function encodeNode(node: HostNode): Buffer {
  const { instanceId, zone, agent, api, services } = node;
  const edges = node.edges.slice(0, maxEdges);
  const text = (count: number, servicesShown: readonly string[]): Buffer => {
    const isCut = node.isCut || count < node.edges.length || servicesShown.length < services.length;
    return Buffer.from(
      JSON.stringify({
        ...{ v: 1, instance_id: instanceId, api, zone, agent, services: servicesShown },
        edges: edges.slice(0, count).map((each) => [each.source, each.destination, each.identity]),
        ...(isCut && { cut: true }),
      }),
    );
  };
  const shown = services.slice(0, maxServices);
  const whole = text(edges.length, shown);
  if (whole.length <= maxNodeBytes) return whole;
  // As many as fit, found by halves; without services where they alone are too many.
  const kept = text(0, shown).length > maxNodeBytes / 2 ? shown.slice(0, 100) : shown;
  let [fits, tooMany] = [0, edges.length + 1];
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1;
    if (text(middle, kept).length <= maxNodeBytes) fits = middle;
    else tooMany = middle;
  }
  return text(fits, kept);
}

/** What a node tells, or why it tells nothing. Whoever may write one may write anything. */
export function decodeNode(data: Buffer): HostNode | Unusable {
  if (data.length > maxNodeBytes) return 'tooLarge';
  let value: unknown;
  try {
    value = JSON.parse(data.toString());
  } catch {
    return 'malformed';
  }
  const { v } = Object(value) as { readonly v?: unknown };
  if (typeof v === 'number' && v !== 1) return 'version';
  const { data: read } = versionOne.safeParse(value);
  if (read === undefined) return 'malformed';
  return {
    ...{ instanceId: read.instance_id, zone: read.zone ?? undefined, agent: read.agent },
    ...{ api: read.api ?? undefined, services: read.services, isCut: read.cut ?? false },
    edges: read.edges.map(([source, destination, known = 'unknown']) => ({
      ...{ source, destination, identity: known },
    })),
  };
}

/** What a host's edges tell the others. */
export function toldEdges(edges: readonly Edge[]): readonly HostEdge[] {
  return edges.map(({ caller, service }) => ({
    ...{ source: caller.name, destination: service, identity: caller.identity },
  }));
}
