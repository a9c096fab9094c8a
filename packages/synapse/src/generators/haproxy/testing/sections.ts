import type {
  Capabilities,
  DesiredState,
  ObservedServer,
  ObservedState,
  RuntimeCommand,
  Server,
  ServiceSections,
} from '../types.js';
import { backendContext, effectiveDefaults } from '../desired/backendContext.js';
import { capabilitiesOf } from '../plan/capabilities.js';
import { effectiveWeight, isChecked, startsInMaint } from '../plan/runtimeServer.js';

/** Debian's HAProxy. */
export const haproxy26: Capabilities = capabilitiesOf('2.6.12-1+deb12u4');

/** A server line with an address of its own, whatever the test does not say. */
export function aServer(name: string, overrides: Partial<Server> = {}): Server {
  const number = Buffer.from(name).reduce((sum, byte) => (sum * 7 + byte) % 250, 0);
  return {
    ...{
      name,
      address: `10.0.0.${number + 1}`,
      port: 80,
      id: number + 1,
      options: ['check'],
      disabled: false,
    },
    ...overrides,
  };
}

/** The sections of service `web` with these servers. */
export function aService(
  servers: readonly Server[],
  overrides: { readonly service?: string; readonly lines?: readonly string[] } = {},
): ServiceSections {
  const { service = 'web', lines = ['balance roundrobin'] } = overrides;
  const bind = ['bind 127.0.0.1:80', `default_backend ${service}`];
  return {
    service,
    frontend: { title: `frontend ${service}`, lines: bind },
    backend: { name: service, lines, servers },
  };
}

/** A whole state of these services. */
export function aState(
  services: readonly ServiceSections[],
  defaults: readonly string[] = ['mode http'],
): DesiredState {
  const base = [
    { title: 'global', lines: ['maxconn 100'] },
    { title: 'defaults', lines: defaults },
  ];
  return { base, services };
}

/** What a process is that has just loaded `state` from the file. */
export function afterReload(state: DesiredState): ObservedState {
  const defaults = effectiveDefaults(state.base);
  const backends = state.services.map(({ backend }) => {
    const context = backendContext(defaults, backend.lines);
    const servers = backend.servers.map((server): [string, ObservedServer] => [
      server.name,
      {
        name: server.name,
        id: server.id ?? 0,
        address: server.address,
        port: server.port,
        weight: effectiveWeight(server, context),
        admin: startsInMaint(server, context) ? 'maint' : 'ready',
        operational: startsInMaint(server, context) ? 'down' : 'up',
        checked: isChecked(server, context),
      },
    ]);
    return [backend.name, new Map(servers)] as const;
  });
  return {
    process: { pid: 1, version: '2.6.12', uptimeSeconds: 1 },
    backends: new Map(backends),
  };
}

/** What the process is after the commands, as HAProxy 2.6 carries them out. Throws where it would refuse. */
export function simulate(observed: ObservedState, commands: readonly RuntimeCommand[]): ObservedState {
  const backends = new Map([...observed.backends].map(([name, servers]) => [name, new Map(servers)]));
  for (const command of commands) {
    const servers = backends.get(command.backend);
    if (servers === undefined) throw new Error(`no backend ${command.backend}`);
    const before = servers.get(command.server);
    if (command.kind === 'add-server') {
      if (before !== undefined) throw new Error(`${command.server} exists`);
      const { server: name, id, address, port, weight, checked } = command;
      servers.set(name, { name, id, address, port, weight, admin: 'ready', operational: 'up', checked });
      continue;
    }
    if (before === undefined) throw new Error(`${command.server} does not exist`);
    if (command.kind === 'remove-server') servers.delete(command.server);
    else if (command.kind === 'set-address')
      servers.set(command.server, { ...before, address: command.address, port: command.port });
    else if (command.kind === 'set-weight')
      servers.set(command.server, { ...before, weight: command.weight });
    else {
      const operational = command.state === 'maint' ? 'down' : 'up';
      servers.set(command.server, { ...before, admin: command.state, operational });
    }
  }
  return { ...observed, backends };
}
