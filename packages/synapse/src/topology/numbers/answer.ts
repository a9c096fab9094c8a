import * as z from 'zod';
import { latencyBounds, latencyBuckets } from '../../traffic/latency.js';
import type { Counts, ServiceCounts } from '../counts.js';
import type { HostEdge } from '../mesh/node.js';
import { identity } from '../shapes.js';

/** An answer has no more bytes. */
export const maxAnswerBytes = 512 * 1024;
/** More, or longer names, no host has. */
const [maxEdges, maxServices, maxName] = [1_000, 1_000, 256];

/** What a host tells those who ask it. */
export interface HostNumbers {
  readonly instanceId: string;
  readonly edges: readonly HostEdge[];
  readonly services: ServiceCounts;
  /** There is more than fits. */
  readonly isCut: boolean;
}

const name = z.string().min(1).max(maxName);
const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);

const versionOne = z.object({
  v: z.literal(1),
  instance_id: name,
  bounds: z.array(z.number()).max(100),
  edges: z.array(z.tuple([name, name, identity.catch('unknown')])).max(maxEdges),
  services: z
    .array(
      z.object({
        ...{ service: name, seconds: z.number().min(0).max(3_600) },
        ...{ requests: count, success: count, failure: count },
        latencies: z.array(count).max(101).nullable(),
      }),
    )
    .max(maxServices),
  cut: z.boolean().optional(),
});

const busiestFirst = (a: Counts, b: Counts): number => b.requests - a.requests;

const canBeSent = (...names: readonly string[]): boolean =>
  names.every(({ length }) => length >= 1 && length <= maxName);

/**
 * As it is sent: the busiest services where not all fit, and none whose names nobody would take. Those that are in
 * no edge and were not called are left out.
 */
export function encodeNumbers({ instanceId, edges: all, services, isCut }: HostNumbers): Buffer {
  const edges = all.filter(({ source, destination }) => canBeSent(source, destination));
  const called = new Set(all.map(({ destination }) => destination));
  const wanted = [...services.values()].filter(
    ({ service, requests }) => requests > 0 || called.has(service),
  );
  const busy = wanted.filter(({ service }) => canBeSent(service)).sort(busiestFirst);
  for (let share = 1; ; share /= 2) {
    const [edgesShown, busyShown] = [
      edges.slice(0, Math.floor(maxEdges * share)),
      busy.slice(0, Math.floor(maxServices * share)),
    ];
    const cut = isCut || edgesShown.length < all.length || busyShown.length < wanted.length;
    const body = Buffer.from(
      JSON.stringify({
        ...{ v: 1, instance_id: instanceId, bounds: latencyBounds, ...(cut && { cut }) },
        edges: edgesShown.map((each) => [each.source, each.destination, each.identity]),
        services: busyShown,
      }),
    );
    if (body.length <= maxAnswerBytes) return body;
  }
}

/** What an answer says; undefined where it makes no sense. Whoever sent it has the key, which is no reason to believe more. */
export function decodeNumbers(body: Buffer): HostNumbers | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return undefined;
  }
  const { data } = versionOne.safeParse(value);
  if (data === undefined) return undefined;
  const hasOurBuckets =
    data.bounds.length === latencyBounds.length &&
    data.bounds.every((bound, index) => bound === latencyBounds[index]);
  return {
    instanceId: data.instance_id,
    edges: data.edges.map(([source, destination, known]) => ({ source, destination, identity: known })),
    services: new Map(
      data.services.map((each) => [
        each.service,
        // Of another version of ours, with other buckets: these cannot be added up.
        hasOurBuckets && each.latencies?.length === latencyBuckets ? each : { ...each, latencies: null },
      ]),
    ),
    isCut: data.cut ?? false,
  };
}
