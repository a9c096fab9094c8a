import { AgentError } from '@smartstack/agent';
import type { ApiClient } from '@smartstack/agent/apiClient';
import { plainText, reader, table } from '@smartstack/agent/cli';

import { type FleetService, type TopologyAnswer, topologyShape } from '../topology/shapes.js';
import { latency, percent, rate } from './units.js';

const read = reader('synapse', topologyShape);

/** What `synapse stat --all-hosts` shows: each service with all who call it. */
export interface FleetStat extends Pick<TopologyAnswer, 'now' | 'notes'> {
  readonly services: readonly FleetService[];
}

/** Asks the agent for what the hosts of its fleet counted in the last minute. Throws ApiError, and AgentError without a fleet. */
export async function readFleetStat(client: ApiClient, service: string | undefined): Promise<FleetStat> {
  const { now, notes, services = [], fleet } = read(await client.call('GET', '/v1/topology?fleet=true'));
  if (fleet?.hasNumbers !== true)
    throw new AgentError('no_fleet', 'this host does not ask others for their numbers: topology.numbers');
  const shown = services.filter((each) => service === undefined || each.service === service);
  if (service !== undefined && shown.length === 0)
    throw new AgentError('unknown', `nobody was seen calling ${service} in the last 15 minutes`);
  return { now, notes, services: shown };
}

const columns = ['NAME', 'HOSTS', 'SUCCESS', 'RPS', 'P50', 'P95', 'P99'];

/** For people; `wide` says of how many hosts the numbers are. What is missing stands below. */
export function fleetStatTable(
  { services, notes }: FleetStat,
  wide: boolean,
  width: number | undefined,
): readonly string[] {
  const rows = services.map(({ service, hosts, numbersOf, successRate, rps, p50, p95, p99 }) => [
    ...[service, String(hosts), percent(successRate), rate(rps), latency(p50), latency(p95), latency(p99)],
    ...(wide ? [`${numbersOf}/${hosts}`] : []),
  ]);
  return [
    ...table(wide ? [...columns, 'TOLD BY'] : columns, rows, width),
    ...notes.map((note) => `note: ${plainText(note)}`),
  ];
}
