import type { BackendContext } from '../desired/backendContext.js';
import { withoutOption, parseOptions, joinOptions } from '../desired/options.js';
import { isLatencyLine } from '../desired/latencyLines.js';
import { effectiveWeight } from '../plan/runtimeServer.js';
import type { ServiceOutline } from '../desired/outline.js';
import type { Server } from '../types.js';

/** HAProxy's greatest weight. */
const greatest = 256;

/** The line of a backend whose weights follow from latencies; nobody else's line is taken for it. */
export const steerLine = 'balance roundrobin # by latency';

const known = new WeakMap<readonly string[], boolean>();

/** True for a backend whose weights are to follow from latencies. */
export function wantsSteering({ backend: { lines } }: Pick<ServiceOutline, 'backend'>): boolean {
  const before = known.get(lines);
  if (before !== undefined) return before;
  const found = lines.includes(steerLine);
  known.set(lines, found);
  return found;
}

const counted = new WeakMap<readonly string[], boolean>();

/** True where they can: its latencies are counted. */
export function isSteered(sections: Pick<ServiceOutline, 'backend'>): boolean {
  if (!wantsSteering(sections)) return false;
  const { lines } = sections.backend;
  const before = counted.get(lines);
  if (before !== undefined) return before;
  const found = lines.some(isLatencyLine);
  counted.set(lines, found);
  return found;
}

/** Servers are values by which later steps know what did not change: the same one comes out the same. */
const made = new WeakMap<Server, { readonly weight: number; readonly server: Server }>();

function withWeight(server: Server, weight: number): Server {
  if (server.weight === weight) return server;
  const before = made.get(server);
  if (before?.weight === weight) return before.server;
  const options = server.options.includes('weight')
    ? joinOptions(withoutOption(parseOptions(server.options), 'weight'))
    : server.options;
  const scaled = { ...server, options, weight };
  made.set(server, { weight, server: scaled });
  return scaled;
}

/**
 * The servers with weights as large as HAProxy takes them, in the same proportions: a hundredth of 1 is no weight.
 * The scale is a power of two, so that it mostly stays what it is when servers come and go.
 */
export function withRoom(servers: readonly Server[], context: BackendContext): readonly Server[] {
  const weights = servers.map((server) => effectiveWeight(server, context));
  const most = Math.max(1, ...weights);
  const scale = 2 ** Math.floor(Math.log2(greatest / most));
  return servers.map((server, index) => withWeight(server, (weights[index] ?? 1) * scale));
}

/** What remains of a weight under a factor. One that takes requests goes on taking some. */
export function steeredWeight(weight: number, factor: number): number {
  return weight === 0 ? 0 : Math.max(1, Math.round(weight * factor));
}
