import { readFile } from 'node:fs/promises';
import { AgentError, type Clock, describeError } from '@smartstack/agent';
import type { CatalogView } from '../../../catalog/types.js';
import type { DiffInput, GeneratorDiff } from '../../types.js';
import { readServiceBlock } from '../block/blocks.js';
import type { HaproxyConfig } from '../block/schema.js';
import { desiredState } from '../desired/desired.js';
import { whoTakes } from '../desired/keywords.js';
import { withOwnLines } from '../desired/ownLines.js';
import { emptyMemory, type Memory, parseMemory, serviceMemory } from '../desired/memory.js';
import { withPrepared } from '../desired/prepared.js';
import { render } from '../desired/render.js';
import { resolveOnce } from '../../hosts.js';
import type { DesiredState } from '../types.js';
import { compareSections } from './compare.js';
import { withoutHarmless } from './harmless.js';
import { liveInstances, liveServers } from './instances.js';
import { type LiveSection, parseSections } from './sections.js';

/** What would change against the files of another synapse. Throws AgentError when there is no such haproxy.cfg. */
export async function diffLive(
  config: HaproxyConfig,
  { view, isDiscovered, services, haproxyFile, stateFile }: DiffInput,
  clock: Clock,
): Promise<GeneratorDiff> {
  const live = haproxyFile ?? config.configFilePath;
  const text = await readFile(live, 'utf8').catch((error: unknown) => {
    throw new AgentError('live-file', `${live}: ${describeError(error)}`);
  });
  const statePath = stateFile ?? (config.keepVanished ? config.stateFilePath : undefined);
  const state =
    statePath === undefined ? undefined : await readFile(statePath, 'utf8').catch(() => undefined);
  const memory = state === undefined ? emptyMemory : parseMemory(state);
  const sections = parseSections(text);
  const shown = isDiscovered ? view : asLive(view, memory, sections);
  const { addresses, problems } = await resolveOnce(shown, clock);
  const all = withPrepared(shown, config);
  const wanted = desiredState(config, all, memory, addresses, writtenAt(memory, clock));
  const result = withOwnLines(wanted, config, all);
  const after = parseSections(render(result.desired));
  const { changes, harmless } = withoutHarmless(compareSections(sections, after));
  return {
    ...{ live, changes, harmless },
    accepted: newlyAccepted(config, services),
    state: stateChanges({ statePath, state, memory, desired: result.desired, sections }),
    notes: [
      ...[...problems].map(([host, problem]) => `cannot resolve ${host}: ${problem}`),
      ...result.issues
        .filter(({ severity }) => severity === 'error')
        .map(({ service, instance, reason }) =>
          [service, instance, reason].filter((part) => part !== undefined).join(': '),
        ),
    ],
  };
}

/** Ruby refreshes its state file each minute: what it says is as of then, even in a copy of it. */
function writtenAt(memory: Memory, clock: Clock): number {
  const newest = Math.max(...[...memory.values()].map(({ seen }) => seen), 0);
  return newest > 0 ? newest * 1000 : clock.now();
}

/** The view with the instances that the live files show. */
function asLive(view: CatalogView, memory: Memory, sections: readonly LiveSection[]): CatalogView {
  const services = view.services.map((service) => {
    const { backendName = service.name, serverOptions = '' } =
      readServiceBlock(service.blocks.haproxy).config ?? {};
    const servers = liveServers(backendName, serverOptions, sections);
    const instances = liveInstances(servers, serviceMemory(memory, service.name));
    return instances.length === 0 ? service : { ...service, source: 'live' as const, instances };
  });
  return { ...view, services };
}

/** Lines that Ruby's synapse leaves out and ours writes. */
function newlyAccepted(
  config: HaproxyConfig,
  services: ReadonlyMap<string, unknown>,
): GeneratorDiff['accepted'] {
  if (config.sectionKeywords !== 'modern') return [];
  return [...services].flatMap(([service, block]) => {
    const { config: read } = readServiceBlock(block);
    if (read === undefined || read.disabled) return [];
    return (['frontend', 'backend', 'listen'] as const).flatMap((section) =>
      read[section]
        .filter((line) => {
          const { ruby, modern } = whoTakes(section, line);
          return !ruby && modern;
        })
        .map((line) => ({ service, section, line: line.trim() })),
    );
  });
}

interface StateInput {
  readonly statePath: string | undefined;
  readonly state: string | undefined;
  readonly memory: Memory;
  readonly desired: DesiredState;
  readonly sections: readonly LiveSection[];
}

/** What becomes of what the state file remembers. */
function stateChanges({ statePath, state, memory, desired, sections }: StateInput): readonly string[] {
  if (statePath === undefined) return [];
  if (state === undefined) return [`${statePath} cannot be read: ids are assigned anew`];
  if (memory.size === 0 && !/^\s*\{\s*\}\s*$/.test(state))
    return [`${statePath} is no state file: ids are assigned anew`];
  const names = new Set(desired.services.map(({ service }) => service));
  const forgotten = [...memory.keys()]
    .filter((service) => !names.has(service))
    .map((service) => `${service} is remembered, and has no section any more`);
  const renumbered = desired.services.flatMap(({ service, backend }) => {
    const before = new Map(liveServers(backend.name, '', sections).map((server) => [server.name, server.id]));
    const remembered = memory.get(service)?.servers;
    return backend.servers.flatMap(({ name, id }) => {
      const old = before.get(name) ?? remembered?.get(name)?.serverId;
      return old === undefined || old === id ? [] : [`${service}/${name}: id ${old} becomes ${id ?? 'none'}`];
    });
  });
  return [...forgotten, ...renumbered];
}
