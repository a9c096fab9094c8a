import type { ServiceLine } from '../../explain/shapes.js';
import type { TopologyEdge } from '../../topology/shapes.js';
import type { ServiceDetail, ServiceTraffic } from '../../traffic/shapes.js';
import { identityNames } from './fleetGraph.js';
import { counted, none, percent, rate } from './format.js';
import type { Graph, GraphEdge, GraphNode } from './graph.js';
import { addressOf } from './place.js';
import { stateOf } from './rows.js';

/** So many services are drawn; the busiest ones. */
const maxServices = 30;
/** Of so many, servers as well. */
export const maxDetailed = 8;

/** The services that are drawn, the busiest first; those without traffic by name. */
export function busiest(services: readonly ServiceTraffic[]): readonly ServiceTraffic[] {
  return [...services]
    .sort((a, b) => b.summary.rps - a.summary.rps || (a.service < b.service ? -1 : 1))
    .slice(0, maxServices);
}

/** Whom of those who call a service this host can name. */
function named(calls: readonly TopologyEdge[], service: string): readonly TopologyEdge[] {
  return calls.filter(({ destination, identity }) => destination === service && identity !== 'host');
}

/** What this host calls: its services with who calls them, and their servers, as far as these are known. */
export function hostGraph(
  host: string,
  services: readonly ServiceTraffic[],
  lines: readonly ServiceLine[],
  details: ReadonlyMap<string, ServiceDetail>,
  calls: readonly TopologyEdge[] = [],
): Graph {
  const total = services.reduce((sum, { summary }) => sum + summary.rps, 0);
  const byName = new Map(lines.map((line) => [line.service, line]));
  const nodes: GraphNode[] = [
    { id: 'host', label: host, kind: 'host', note: `${rate(total)} rps`, success: null },
  ];
  const callers = new Map<string, GraphNode>();
  const edges: GraphEdge[] = [];
  const drawn = [...busiest(services)].sort((a, b) => (a.service < b.service ? -1 : 1));
  const servers: GraphNode[] = [];
  for (const { service, summary } of drawn) {
    const id = `service/${service}`;
    const line = byName.get(service);
    const { successRate: success, rps } = summary;
    const isOut = line !== undefined && stateOf(line).level === 'bad';
    const note = success === null ? `${rate(rps)} rps` : `${rate(rps)} rps · ${percent(success)}`;
    nodes.push({
      id,
      label: service,
      kind: 'service',
      note,
      success,
      isOut,
      href: addressOf({ view: 'service', service }),
    });
    const known = named(calls, service);
    for (const { source, identity } of known) {
      const from = `caller/${source}`;
      const share = known.length === 1 ? rps : null;
      callers.set(from, {
        ...{ id: from, label: source, kind: 'caller', success: null },
        note: identityNames[identity],
      });
      edges.push({
        from,
        to: id,
        rps: share,
        success,
        note: share === null ? 'one of several callers' : undefined,
      });
    }
    if (known.length === 0) edges.push({ from: 'host', to: id, rps, success });
    const detail = details.get(service);
    for (const one of [...(detail?.servers ?? [])].sort((a, b) => (a.server < b.server ? -1 : 1))) {
      const serverId = `${id}/${one.server}`;
      const rates = { rps: one.summary.rps, success: one.summary.successRate };
      servers.push({
        ...{ id: serverId, label: one.server, kind: 'server', success: rates.success },
        note: `${rate(rates.rps)} rps · ${rates.success === null ? none : percent(rates.success)}`,
      });
      edges.push({ from: id, to: serverId, ...rates });
    }
  }
  const more = services.length - drawn.length;
  if (more > 0) {
    const rps = total - drawn.reduce((sum, { summary }) => sum + summary.rps, 0);
    nodes.push({
      id: 'more',
      label: counted(more, 'further service'),
      kind: 'more',
      note: `${rate(rps)} rps`,
      success: null,
      href: addressOf({ view: 'services', sort: 'rps', down: true }),
    });
    edges.push({ from: 'host', to: 'more', rps, success: null });
  }
  const isNeeded = edges.length === 0 || edges.some(({ from }) => from === 'host');
  const shown = nodes.filter(({ kind }) => kind !== 'host' || isNeeded);
  return { nodes: [...callers.values(), ...shown, ...servers], edges };
}
