import type { CatalogView, ServiceView } from '../../catalog/types.js';
import { serverAddress, serverName } from '../names.js';
import { type NginxConfig, type NginxServiceConfig, readServiceBlock } from './blocks.js';

/** One line of the file, and the instance that it stands for. */
export interface Line {
  readonly text: string;
  readonly instance?: string;
}

/** The lines of one service, as they stand in `http` or `stream`. */
export interface Section {
  readonly service: string;
  readonly context: 'http' | 'stream';
  readonly lines: readonly Line[];
}

/** Something that is left out of the file, and why. */
export interface NginxIssue {
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

/** What the file says, from the view, the addresses of host names, and instances that nginx refused. Pure. */
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
    if (view.source === 'pending' || (view.source === 'previous' && view.instances.length === 0))
      kept.push(view.name);
    const servers = serversOf(view, block, addresses, issues);
    // As in Ruby: a stream has no way to say that it has nobody.
    if (block.mode === 'tcp' && servers.length === 0) continue;
    const name = block.upstream_name ?? view.name;
    const problem = claims.problemOf(view.name, name, config, block);
    if (problem !== undefined) {
      issues.push({ service: view.name, reason: problem });
      continue;
    }
    const lines = [...serverBlock(config, block, name, servers), ...upstreamBlock(block, name, servers)];
    if (lines.length > 0)
      sections.push({ service: view.name, context: block.mode === 'http' ? 'http' : 'stream', lines });
  }
  return { sections, kept, issues };
}

/** Names and addresses that only one service may have: whoever comes first. */
class Claims {
  readonly #names = new Map<string, string>();
  readonly #addresses = new Map<string, { readonly service: string; readonly mode: string }>();

  problemOf(
    service: string,
    name: string,
    { listenAddress }: NginxConfig,
    { mode, port, listen_address: own }: NginxServiceConfig,
  ): string | undefined {
    if (!/^[A-Za-z0-9_.:-]{1,255}$/.test(name))
      return `${JSON.stringify(name)} cannot be the name of an upstream; set upstream_name`;
    const owner = this.#names.get(`${mode} ${name}`);
    if (owner !== undefined) return `the upstream ${name} already belongs to service ${owner}`;
    if (typeof port === 'number') {
      const address = `${own ?? listenAddress}:${port}`;
      const other = this.#addresses.get(address);
      // In http, server_name tells them apart.
      if (other !== undefined && (mode === 'tcp' || other.mode === 'tcp'))
        return `${address} already belongs to service ${other.service}`;
      this.#addresses.set(address, { service, mode });
    }
    this.#names.set(`${mode} ${name}`, service);
    return undefined;
  }
}

function serversOf(
  { name: service, instances }: ServiceView,
  { upstream_order: order, server_options: options }: NginxServiceConfig,
  addresses: ReadonlyMap<string, string>,
  issues: NginxIssue[],
): readonly Line[] {
  const servers = new Map<string, Line>();
  for (const instance of instances) {
    const name = serverName(instance);
    const address = serverAddress(instance.host, addresses);
    if ('reason' in name || 'reason' in address) {
      const reason = 'reason' in name ? name.reason : 'reason' in address ? address.reason : '';
      issues.push({ service, instance: `${instance.host}:${instance.port}`, reason });
      continue;
    }
    const host = address.value.includes(':') ? `[${address.value}]` : address.value;
    const words = [`\t\tserver ${host}:${instance.port}`, ...(options ? [options] : [])];
    servers.set(name.value, { text: `${words.join(' ')};`, instance: name.value });
  }
  const entries = [...servers];
  if (order !== 'no_shuffle') entries.sort(([a], [b]) => (a < b ? -1 : 1));
  if (order === 'desc') entries.reverse();
  return entries.map(([, line]) => line);
}

function serverBlock(
  { listenAddress }: NginxConfig,
  { mode, port, listen_address: own, listen_options: options, server }: NginxServiceConfig,
  name: string,
  servers: readonly Line[],
): readonly Line[] {
  if (port === undefined || port === null) return [];
  const answer = servers.length === 0 ? 'return 503' : `proxy_pass http://${name}`;
  const proxy =
    mode === 'tcp' ? [`\t\tproxy_pass ${name};`] : ['\t\tlocation / {', `\t\t\t${answer};`, '\t\t}'];
  return [
    '\tserver {',
    `\t\tlisten ${own ?? listenAddress}:${port}${options ? ` ${options}` : ''};`,
    ...server.map((line) => `\t\t${line};`),
    ...proxy,
    '\t}',
  ].map((text) => ({ text }));
}

function upstreamBlock(
  { upstream }: NginxServiceConfig,
  name: string,
  servers: readonly Line[],
): readonly Line[] {
  if (servers.length === 0) return [];
  return [
    { text: `\tupstream ${name} {` },
    ...upstream.map((line) => ({ text: `\t\t${line};` })),
    ...servers,
    { text: '\t}' },
  ];
}
