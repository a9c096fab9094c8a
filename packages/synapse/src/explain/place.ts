import type { DiscoveryOptions } from '../config/service.js';

type Options = Readonly<Record<string, unknown>>;

/** A source in words: `zookeeper zk1:2181/services/web`. Without what is secret. */
export function placeOf(discovery: DiscoveryOptions): string {
  const options = discovery as unknown as Options;
  const method = options.method === 'plug-in' ? text(options.kind) : discovery.method;
  return [method, whereOf(options)].filter((part) => part !== '').join(' ');
}

/** The sources of a service's watchers by name; empty where it has one. */
export function partPlaces(discovery: DiscoveryOptions): ReadonlyMap<string, string> {
  const { watchers } = discovery as unknown as Options;
  if (discovery.method !== 'multi') return new Map();
  const each = Object.entries(watchers as Readonly<Record<string, DiscoveryOptions>>);
  return new Map(each.map(([name, one]) => [name, placeOf(one)]));
}

function whereOf(options: Options): string {
  switch (options.method) {
    case 'multi':
      return methodOf(options.resolver as Options);
    case 'dns':
    case 'docker':
      return [serversOf(options.servers), text(options.image_name)].filter((part) => part !== '').join(' ');
    case 'marathon':
      return `${withoutPassword(text(options.marathon_api_url))} ${text(options.application_name)}`;
    case 'ec2tag':
      return `${text(options.tag_name)}=${text(options.tag_value)}`;
    case 'plug-in':
      return text(options.module);
    default: {
      const hosts = Array.isArray(options.hosts) ? options.hosts.join(',') : '';
      return `${hosts}${text(options.path)}`;
    }
  }
}

function methodOf({ method, kind }: Options): string {
  return method === 'plug-in' ? text(kind) : text(method);
}

function serversOf(servers: unknown): string {
  const all = (Array.isArray(servers) ? servers : []) as readonly Options[];
  return all
    .map((one) => {
      // A name that is resolved stands for instances.
      const { host, port } = (one.instance ?? one) as Options;
      const at = typeof port === 'number' && port > 0 ? `:${port}` : '';
      return text(one.socket) || `${text(host)}${at}`;
    })
    .join(',');
}

function withoutPassword(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : '';
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
