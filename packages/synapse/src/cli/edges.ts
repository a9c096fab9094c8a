import type { ApiClient } from '@smartstack/agent/apiClient';
import { AgentError } from '@smartstack/agent';
import { age, plainText, reader, table } from '@smartstack/agent/cli';

import { type TopologyAnswer, topologyShape } from '../topology/shapes.js';
import { latency, percent, rate } from './units.js';

const read = reader('synapse', topologyShape);

/** Asks who calls whom; with a `name`, whom it calls and by whom it is called. Throws ApiError, and AgentError for nobody. */
export async function readEdges(
  client: ApiClient,
  name: string | undefined,
  isFleet: boolean,
): Promise<TopologyAnswer> {
  const answer = read(await client.call('GET', `/v1/topology?fleet=${isFleet}`));
  if (name === undefined) return answer;
  const edges = answer.edges.filter(({ source, destination }) => source === name || destination === name);
  if (edges.length === 0)
    throw new AgentError('unknown', `nobody was seen calling ${name} in the last 15 minutes, and it nobody`);
  return { ...answer, edges };
}

const columns = ['SRC', 'DST', 'HOSTS', 'RPS', 'SUCCESS', 'P95', 'IDENTITY'];
const wideColumns = ['SEEN', 'SINCE', 'TOLD BY', 'ON'];

/** For people; `wide` has more columns. What is missing stands below. */
export function edgesTable(
  { edges, notes, now }: TopologyAnswer,
  wide: boolean,
  width: number | undefined,
): readonly string[] {
  const rows = edges.map((edge) => [
    edge.source,
    edge.destination,
    String(edge.hosts),
    rate(edge.rps),
    percent(edge.successRate),
    latency(edge.p95),
    edge.identity,
    ...(wide
      ? [
          edge.lastSeen === undefined ? '' : age(now - edge.lastSeen),
          edge.firstSeen === undefined ? '' : age(now - edge.firstSeen),
          `${edge.numbersOf}/${edge.hosts}`,
          `${edge.onHosts.join(',')}${edge.hosts > edge.onHosts.length ? ',…' : ''}`,
        ]
      : []),
  ]);
  return [
    ...table(wide ? [...columns, ...wideColumns] : columns, rows, width),
    ...notes.map((note) => `note: ${plainText(note)}`),
  ];
}

/** A graph for programs. */
export interface GraphAnswer {
  readonly nodes: readonly { readonly id: string; readonly kind: 'service' | 'caller' }[];
  readonly edges: readonly {
    readonly from: string;
    readonly to: string;
    readonly hosts: number;
    readonly rps: number | null;
    readonly identity: string;
  }[];
}

/** Nodes and edges; those who call under several identities are one node. */
export function graphOf({ edges, hosts }: TopologyAnswer): GraphAnswer {
  const services = new Set([
    ...edges.map(({ destination }) => destination),
    ...hosts.flatMap(({ services: hosted }) => hosted),
  ]);
  const names = new Set([...edges.flatMap(({ source, destination }) => [source, destination])]);
  return {
    nodes: [...names].sort().map((id) => ({ id, kind: services.has(id) ? 'service' : 'caller' })),
    edges: edges.map(({ source, destination, hosts: count, rps, identity }) => ({
      ...{ from: source, to: destination, hosts: count, rps, identity },
    })),
  };
}

/** A name as a string of Graphviz: what it says is nothing but text. */
function quoted(text: string): string {
  const plain = text.replaceAll(/\p{Cc}/gu, ' ').replaceAll(/["\\]/g, '\\$&');
  return `"${plain}"`;
}

/** The graph in the language of Graphviz. */
export function dotOf({ nodes, edges }: GraphAnswer): readonly string[] {
  return [
    'digraph smartstack {',
    '  rankdir=LR;',
    '  node [shape=box, style=rounded, fontname="sans-serif"];',
    ...nodes.map(({ id, kind }) => `  ${quoted(id)}${kind === 'caller' ? ' [style=dashed]' : ''};`),
    ...edges.map(({ from, to, hosts, rps }) => {
      const parts = [...(rps === null ? [] : [`${rate(rps)}/s`]), ...(hosts > 1 ? [`${hosts} hosts`] : [])];
      const label = parts.length === 0 ? '' : ` [label=${quoted(parts.join(', '))}]`;
      return `  ${quoted(from)} -> ${quoted(to)}${label};`;
    }),
    '}',
  ];
}
