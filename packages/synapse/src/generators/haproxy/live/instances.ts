import type { Instance } from '@smartstack/registry';
import { lastDiscovered, type ServiceMemory } from '../desired/memory.js';
import { expandTemplate } from '../desired/template.js';
import type { LiveSection } from './sections.js';

/** A server of a live file. */
export interface LiveServer {
  readonly name: string;
  readonly instance: Instance;
  readonly id: number | undefined;
  readonly disabled: boolean;
}

/** As Ruby writes it: `server <name>_<host>:<port> <host>:<port> [id N] [cookie C] <server_options> <its own> [disabled]`. */
const serverLine = /^server (\S+) (\S+):(\d{1,5})(?: id (\d+))?(?: cookie \S+)?(?: (.*))?$/;

/** The servers of a backend. What their lines hold beyond `serverOptions`, a template, is taken for their own options. */
export function liveServers(
  backend: string,
  serverOptions: string,
  sections: readonly LiveSection[],
): readonly LiveServer[] {
  const section = sections.find(({ title }) => title === `backend ${backend}`);
  return (section?.lines ?? []).flatMap(({ text }): LiveServer[] => {
    const found = serverLine.exec(text);
    if (found === null) return [];
    const [, name = '', host = '', port = '', id, rest = ''] = found;
    const own = `${host}:${port}`;
    const prefix = name.endsWith(`_${own}`) ? name.slice(0, -own.length - 1) : '';
    const instance = { host, port: Number(port), ...(prefix !== '' && { name: prefix }) };
    const words = rest.replace(/(^| )disabled$/, '');
    const common = expandTemplate(serverOptions, { ...instance, name: prefix })
      .trim()
      .replace(/\s+/g, ' ');
    const options = words.startsWith(common) ? words.slice(common.length).trim() : '';
    return [
      {
        ...{ name, id: id === undefined ? undefined : Number(id), disabled: words !== rest },
        instance: { ...instance, ...(options !== '' && { haproxyServerOptions: options }) },
      },
    ];
  });
}

/** The instances that live files show: those of the state file where it knows the service, else those of its lines. */
export function liveInstances(
  servers: readonly LiveServer[],
  remembered: ServiceMemory,
): readonly Instance[] {
  const known = lastDiscovered(remembered);
  if (known.length === 0) {
    const enabled = servers.filter(({ disabled }) => !disabled);
    // Ids follow the order in which the registry lists its instances.
    return [...enabled].sort((a, b) => (a.id ?? 0) - (b.id ?? 0)).map(({ instance }) => instance);
  }
  const disabled = new Set(servers.filter((one) => one.disabled).map(({ name }) => name));
  return known.filter(({ host, port, name = '' }) => {
    const full = `${name === '' ? '' : `${name}_`}${host}:${port}`;
    return !disabled.has(full);
  });
}
