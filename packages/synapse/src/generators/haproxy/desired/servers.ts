import { createHash } from 'node:crypto';
import type { Instance } from '@smartstack/registry';
import type { BackendContext } from './backendContext.js';
import { assignIds } from './ids.js';
import type { ServiceMemory } from './memory.js';
import { serverAddress, serverName } from './names.js';
import {
  combinationProblem,
  joinOptions,
  lastValue,
  parseOptions,
  registryOptions,
  splitWords,
  withoutOption,
} from './options.js';
import type { HaproxyConfig } from '../block/schema.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import { rubyShuffle } from './shuffle.js';
import { expandTemplate, type TemplateValues } from './template.js';
import type { Server } from '../types.js';

/** All that a server line depends on besides its instance. */
export interface ServerContext {
  readonly config: Pick<
    HaproxyConfig,
    'useNerveWeights' | 'registryServerOptions' | 'maxServerId' | 'keepVanished' | 'serverOrderSeed'
  >;
  readonly service: HaproxyServiceConfig;
  readonly backend: BackendContext;
  readonly serverVerifyNone: boolean;
  readonly addresses: ReadonlyMap<string, string>;
  /** Ids in the running backend that are not ours to give, with the names that have them. */
  readonly foreignIds?: ReadonlyMap<number, string> | undefined;
}

/** An instance that got no server line, and why. */
interface Refusal {
  readonly instance: string;
  readonly reason: string;
}

/** A server line that lacks only its id. `id` is set when the options state it. */
interface Draft {
  readonly server: Server;
  readonly instance: Instance;
  /** What was changed to make it fit. */
  readonly warning: string | undefined;
}

/** How an instance is called in messages, whatever it holds. */
function describeInstance({ name, host, port }: Instance): string {
  const text = [name, `${host}:${port}`].filter((part) => part).join(' ');
  return /^[\x20-\x7e]{1,120}$/.test(text) ? text : JSON.stringify(text).slice(0, 120);
}

function cookieOf(name: string, { service, backend }: ServerContext): { cookie: string } | undefined {
  if (!backend.cookie) return undefined;
  const hash = (): string => createHash('sha1').update(name).digest('hex');
  return { cookie: service.cookieValue === 'hash' ? hash() : name };
}

/** What the options of a line amount to: most instances of a service share them. */
type LineOptions =
  { readonly words: readonly string[]; readonly id: number | undefined } | { readonly reason: string };

function lineOptions(
  common: string,
  own: string,
  values: TemplateValues,
  weighted: boolean,
  context: ServerContext,
): LineOptions {
  const { config, backend, serverVerifyNone } = context;
  const dropped = weighted ? 'weight' : undefined;
  const particular = registryOptions(own, values, config.registryServerOptions, dropped);
  if ('reason' in particular) return particular;
  const stated = parseOptions(splitWords(common));
  const options = [...(weighted ? withoutOption(stated, 'weight') : stated), ...particular.value];
  const all = [...backend.defaultServer, ...options];
  const problem = combinationProblem(particular.value, all, { http: backend.http, serverVerifyNone });
  if (problem !== undefined) return { reason: problem };
  // HAProxy uses the last, and the instance's own comes last.
  const id = lastValue(options, 'id') ?? '';
  return { words: joinOptions(options), id: /^\d{1,10}$/.test(id) ? Number(id) : undefined };
}

/** Makes the server line of one instance, or says why there can be none. `known` keeps options for the next instances. */
function draftServer(
  instance: Instance,
  context: ServerContext,
  known: Map<string, LineOptions>,
): Draft | Refusal {
  const refuse = (reason: string): Refusal => ({ instance: describeInstance(instance), reason });
  const name = serverName(instance);
  if ('reason' in name) return refuse(name.reason);
  const address = serverAddress(instance.host, context.addresses);
  if ('reason' in address) return refuse(address.reason);
  const values = { host: instance.host, port: instance.port, name: name.value };
  // HAProxy's weights end at 256; a greater share than all others is still what was meant.
  const weight =
    context.config.useNerveWeights && Number.isInteger(instance.weight)
      ? Math.min(256, Math.max(0, instance.weight ?? 0))
      : undefined;
  const common = expandTemplate(context.service.serverOptions, values);
  const own = instance.haproxyServerOptions ?? '';
  const key = JSON.stringify([common, own, weight !== undefined, own.includes('%') && name.value]);
  const line = known.get(key) ?? lineOptions(common, own, values, weight !== undefined, context);
  known.set(key, line);
  if ('reason' in line) return refuse(line.reason);
  return {
    instance,
    server: {
      name: name.value,
      address: address.value,
      port: instance.port,
      id: line.id,
      ...cookieOf(name.value, context),
      options: line.words,
      ...(weight === undefined ? {} : { weight }),
      disabled: false,
    },
    warning:
      weight === undefined || weight === instance.weight
        ? undefined
        : `weight ${String(instance.weight)} is not from 0 to 256; ${weight} is used`,
  };
}

/** The servers of one backend, in file order, and what became of the instances that have none. */
export interface BackendServers {
  readonly servers: readonly Server[];
  /** The instances behind the servers that are not `disabled`, by server name. */
  readonly live: ReadonlyMap<string, { readonly instance: Instance; readonly id: number }>;
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly Refusal[];
}

function inOrder(names: readonly string[], { service, config }: ServerContext): readonly string[] {
  switch (service.backendOrder) {
    case 'asc':
      return [...names].sort();
    case 'desc':
      return [...names].sort().reverse();
    case 'no_shuffle':
      return names;
    case 'shuffle':
      return rubyShuffle(names, config.serverOrderSeed);
  }
}

/** Makes all server lines of a backend: instances as given, vanished ones after the operator's wish. */
export function backendServers(
  instances: readonly Instance[],
  remembered: ServiceMemory,
  context: ServerContext,
): BackendServers {
  const refusals: Refusal[] = [];
  const warnings: Refusal[] = [];
  const drafts = new Map<string, Draft>();
  const known = new Map<string, LineOptions>();
  for (const instance of instances) {
    const draft = draftServer(instance, context, known);
    if ('reason' in draft) refusals.push(draft);
    else if (!drafts.has(draft.server.name)) drafts.set(draft.server.name, draft);
    if ('warning' in draft && draft.warning !== undefined) {
      warnings.push({ instance: describeInstance(instance), reason: draft.warning });
    }
  }
  const requests = [...drafts.values()].map(({ server }) => ({ name: server.name, explicit: server.id }));
  const { ids, conflicting } = assignIds(
    requests,
    remembered,
    context.config.maxServerId,
    context.foreignIds,
  );
  const servers = new Map<string, Server>();
  const live = new Map<string, { instance: Instance; id: number }>();
  const used = new Set(ids.values());
  if (context.config.keepVanished) {
    for (const [name, vanished] of remembered.servers) {
      const living = drafts.get(name);
      if (living !== undefined) servers.set(name, living.server);
      const draft = living ?? draftServer(vanished.instance, context, known);
      if (living !== undefined || 'reason' in draft) continue;
      const id = draft.server.id ?? vanished.serverId;
      // An id that a living server needed is no longer theirs.
      if (id === undefined || used.has(id)) continue;
      used.add(id);
      servers.set(name, { ...draft.server, id, disabled: true });
    }
  }
  for (const [name, { server, instance }] of drafts) {
    const id = ids.get(name);
    if (id === undefined) {
      servers.delete(name);
      const reason = conflicting.includes(name)
        ? `another instance has the same id ${String(server.id)} in its options`
        : 'no server id is left (max_server_id)';
      refusals.push({ instance: describeInstance(instance), reason });
      continue;
    }
    servers.set(name, { ...server, id });
    live.set(name, { instance, id });
  }
  const ordered = inOrder([...servers.keys()], context).flatMap((name) => servers.get(name) ?? []);
  return { servers: ordered, live, refusals, warnings };
}
