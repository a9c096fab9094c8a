import { AgentError, type Clock, exitCode } from '@smartstack/agent';
import { ApiError } from '@smartstack/agent/apiClient';
import { BadUsage, connect, plainText, reader } from '@smartstack/agent/cli';
import * as z from 'zod';

import { serverLines } from '../explain/lines.js';
import { explanationShape, planShape, serverShape, serviceShape } from '../explain/shapes.js';
import { dotOf, edgesTable, graphOf, readEdges } from './edges.js';
import { fleetStatTable, readFleetStat } from './fleetStat.js';
import type { Question } from './invocation.js';
import type { Output } from './output.js';
import { readStat, statTable } from './stat.js';
import { explanationPage, planPage, serversTable, servicesTable } from './pages.js';

/** What asking needs. */
export interface AskContext {
  readonly clock: Clock;
  readonly output: Output;
  /** Characters in a line of the terminal; undefined where the output is none. */
  readonly width: number | undefined;
}

/** Where the agent listens unless `admin.listen` says otherwise. */
const usual = [{ host: '127.0.0.1', port: 3455 }];

const readServices = reader('synapse', z.object({ services: z.array(serviceShape) }));
const readServers = reader('synapse', z.object({ servers: z.array(serverShape) }));
const readExplanation = reader('synapse', explanationShape);
const readPlan = reader('synapse', planShape);

interface Answer {
  readonly value: unknown;
  readonly lines: readonly string[];
  readonly isWell: boolean;
}

/** Asks the running agent, and prints its answer. Returns the exit code; whatever was expected to go wrong is printed. */
export async function ask(question: Question, context: AskContext): Promise<number> {
  const { output } = context;
  try {
    const { value, lines, isWell } = await answer(question, context);
    if (question.output === 'json') output.out(JSON.stringify(value, null, 2));
    else for (const line of lines) output.out(line);
    return isWell ? exitCode.stopped : exitCode.failure;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    output.err(`synapse: ${plainText(error.message)}`);
    if (error instanceof BadUsage || (error instanceof ApiError && error.status === 400))
      return exitCode.usage;
    if (!(error instanceof ApiError) || error.code !== 'unreachable') return exitCode.failure;
    output.err(
      'synapse: is it running? systemctl status synapse. It listens where admin.listen says: --address',
    );
    return exitCode.unavailable;
  }
}

async function answer(question: Question, { clock, width }: AskContext): Promise<Answer> {
  const client = await connect(question, usual, clock);
  const page = { now: clock.now(), width };
  const { target } = question;
  switch (question.about) {
    case 'services': {
      const value = readServices(await client.call('GET', '/v1/services'));
      const isWell = value.services.every(({ reason }) => reason === undefined);
      return { value, lines: servicesTable(value.services, page), isWell };
    }
    case 'servers': {
      const servers =
        target === undefined
          ? readServers(await client.call('GET', '/v1/servers')).servers
          : serverLines(readExplanation(await client.call('GET', whyPath(target))));
      const isWell = servers.every(({ takesTraffic }) => takesTraffic);
      return { value: { servers }, lines: serversTable(servers, page), isWell };
    }
    case 'plan': {
      const value = readPlan(await client.call('GET', '/v1/plan'));
      const isIdle = value.generators.every(
        ({ commands, reload, files }) => commands.length + reload.length + files.length === 0,
      );
      return { value, lines: planPage(value, page), isWell: isIdle && value.waitingFor.length === 0 };
    }
    case 'stat': {
      if (question.allHosts === true) {
        const value = await readFleetStat(client, target);
        return { value, lines: fleetStatTable(value, question.wide === true, width), isWell: true };
      }
      const span = question.span ?? { fromMs: 60_000, toMs: 0 };
      const value = await readStat(client, target, span);
      return { value, lines: statTable(value, question.wide === true, width), isWell: true };
    }
    case 'edges': {
      const value = await readEdges(client, target, question.local !== true);
      return { value, lines: edgesTable(value, question.wide === true, width), isWell: true };
    }
    case 'graph': {
      const value = graphOf(await readEdges(client, target, question.local !== true));
      const lines = question.dot === true ? dotOf(value) : JSON.stringify(value, null, 2).split('\n');
      return { value, lines, isWell: true };
    }
    case 'why': {
      const [service, server] = cutTarget(target ?? '');
      const value = readExplanation(await client.call('GET', whyPath(service)));
      if (server === undefined)
        return { value, lines: explanationPage(value, undefined, page), isWell: value.ok };
      const found = value.servers.filter((one) => isMeant(one, server));
      if (found.length === 0) {
        const known = value.servers.map((one) => one.server).slice(0, 20);
        throw new AgentError(
          'unknown',
          `${service} has no server ${server}; it has ${known.join(', ') || 'none'}`,
        );
      }
      const one = { ...value, servers: found };
      const isWell = found.every(({ takesTraffic }) => takesTraffic);
      return { value: one, lines: explanationPage(one, server, page), isWell };
    }
  }
}

function whyPath(service: string): string {
  return `/v1/services/${encodeURIComponent(service)}/why`;
}

/** Names of services hold no slash; those of znodes that cannot be read may. */
function cutTarget(target: string): readonly [string, string?] {
  const at = target.indexOf('/');
  return at < 0 || at === target.length - 1
    ? [target.replace(/\/$/, '')]
    : [target.slice(0, at), target.slice(at + 1)];
}

/** By its name, its address, or host:port. */
function isMeant(
  {
    server,
    address,
    host,
    port,
  }: {
    readonly server: string;
    readonly address?: string | undefined;
    readonly host?: string | undefined;
    readonly port?: number | undefined;
  },
  wanted: string,
): boolean {
  return [server, address, host, `${host ?? ''}:${port ?? ''}`].includes(wanted);
}
