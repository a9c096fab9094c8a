import { byText } from '@smartstack/agent';
import type { CatalogView, ServiceView } from '../../catalog/types.js';
import { hostPort, serverAddress, serverName } from '../names.js';
import { type NginxConfig, type NginxServiceConfig, readServiceBlock } from './blocks.js';
import { Claims } from './claims.js';
import { directive } from './lines.js';
import { answerLine, type Line, placeholder, type Section, serverLine } from './sections.js';

/** Something that is left out of the file, and why. */
interface NginxIssue {
  readonly service: string;
  readonly instance?: string;
  readonly reason: string;
}

/** What the file should hold of the services. */
export interface Desired {
  readonly sections: readonly Section[];
  /** Services of which nobody knows what they should be: what the file has of them stays. */
  readonly kept: readonly string[];
  readonly issues: readonly NginxIssue[];
}

/** What the file says of a view, with the addresses of host names. Pure. */
export function desiredSections(
  config: NginxConfig,
  { services, unreadable = [] }: CatalogView,
  addresses: ReadonlyMap<string, string>,
): Desired {
  const sections: Section[] = [];
  const kept = [...unreadable];
  const issues: NginxIssue[] = [];
  const claims = new Claims();
  for (const view of services) {
    const { config: block, issues: found } = readServiceBlock(view.blocks.nginx ?? {});
    if (block === undefined) {
      kept.push(view.name);
      const reasons = found.map(({ path, message }) => `${['nginx', ...path].join('.')}: ${message}`);
      issues.push({ service: view.name, reason: reasons.join('; ') });
      continue;
    }
    if (block.disabled) continue;
    const name = block.upstream_name ?? view.name;
    const problem = claims.problemOf(view.name, name, config, block);
    if (problem !== undefined) {
      issues.push({ service: view.name, reason: problem });
      continue;
    }
    if (view.source === 'pending' || (view.source === 'previous' && view.instances.length === 0))
      kept.push(view.name);
    const servers = serversOf(view, block, addresses, issues);
    const lines = [...serverBlock(config, block, name, servers), ...upstreamBlock(block, name, servers)];
    sections.push({ service: view.name, context: block.mode === 'http' ? 'http' : 'stream', lines });
  }
  return { sections, kept, issues };
}

/** The sections to write: of services that nobody knows, those that the file has already. */
export function withKept({ sections, kept }: Desired, old: ReadonlyMap<string, Section>): readonly Section[] {
  const keep = new Set(kept);
  const there = new Set(sections.map(({ service }) => service));
  const missing = kept.filter((service) => !there.has(service));
  return [
    ...sections.map((section) =>
      keep.has(section.service) ? (old.get(section.service) ?? section) : section,
    ),
    ...missing.flatMap((service) => old.get(service) ?? []),
  ];
}

function serversOf(
  { name: service, instances }: ServiceView,
  { upstream_order: order, server_options: options }: NginxServiceConfig,
  addresses: ReadonlyMap<string, string>,
  issues: NginxIssue[],
): readonly Line[] {
  const servers = new Map<string, Line>();
  for (const { host, port, name: instanceName, weight } of instances) {
    const name = serverName({ host, port, ...(instanceName !== undefined && { name: instanceName }) });
    const address = serverAddress(host, addresses);
    if ('reason' in name || 'reason' in address) {
      const reason = 'reason' in name ? name.reason : 'reason' in address ? address.reason : '';
      issues.push({ service, instance: `${host}:${port}`, reason });
      continue;
    }
    const own = ownOptions(weight, options ?? '');
    servers.set(name.value, serverLine({ address: hostPort(address.value, port), own }, options ?? ''));
  }
  const entries = [...servers];
  if (order !== 'no_shuffle') entries.sort(([a], [b]) => byText(a, b));
  if (order === 'desc') entries.reverse();
  return entries.map(([, line]) => line);
}

/** nginx has no weight of 0. */
function ownOptions(weight: number | undefined, options: string): string {
  if (weight === undefined || !Number.isInteger(weight) || weight < 0) return '';
  if (weight === 0) return 'down';
  return /(^| )weight=/.test(options) ? '' : `weight=${Math.min(weight, maxWeight)}`;
}

/** That of HAProxy, so that shares are the same behind either. */
const maxWeight = 256;

/** Of `stream` there is none while nobody is there, as in Ruby: a connection is refused rather than taken and dropped. */
function serverBlock(
  { listenAddress }: NginxConfig,
  { mode, port, listen_address: own, listen_options: options, server }: NginxServiceConfig,
  name: string,
  servers: readonly Line[],
): readonly Line[] {
  const isEmpty = servers.length === 0;
  if (port === undefined || port === null || (mode === 'tcp' && isEmpty)) return [];
  const proxy: readonly Line[] =
    mode === 'tcp'
      ? [{ text: `\t\tproxy_pass ${name};` }]
      : [{ text: '\t\tlocation / {' }, answerLine(name, isEmpty), { text: '\t\t}' }];
  return [
    { text: '\tserver {' },
    { text: `\t\tlisten ${own ?? listenAddress}:${port}${options ? ` ${options}` : ''};` },
    ...server.map((line) => ({ text: `\t\t${directive(line)}` })),
    ...proxy,
    { text: '\t}' },
  ];
}

function upstreamBlock(
  { upstream }: NginxServiceConfig,
  name: string,
  servers: readonly Line[],
): readonly Line[] {
  return [
    { text: `\tupstream ${name} {` },
    ...upstream.map((line) => ({ text: `\t\t${directive(line)}` })),
    ...(servers.length === 0 ? [placeholder] : servers),
    { text: '\t}' },
  ];
}
