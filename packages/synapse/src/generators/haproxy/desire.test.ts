import { FakeClock } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';
import type { ServiceView } from '../../catalog/types.js';
import { readHaproxyBlock } from './block/blocks.js';
import { desire, type Desire } from './desire.js';
import { HostResolver } from '../hosts.js';
import { addLastKnown, emptyMemory, type Memory, serviceMemory } from './desired/memory.js';
import { render } from './desired/render.js';
import type { DesiredState } from './types.js';

const now = 1_000_000_000_000;
const hosts = new HostResolver({ clock: new FakeClock(), onChange: () => undefined });
const config = readHaproxyBlock({ stats: false, bind_address: '127.0.0.1' }, 'h').config!;
const one: Instance = { host: '10.0.0.1', port: 80, name: 'one' };
const two: Instance = { host: '10.0.0.2', port: 80, name: 'with_underscore' };
const block = { port: 3213, server_options: 'check' };

const live = (instances: readonly Instance[], haproxy: unknown = block): ServiceView => ({
  name: 'web',
  source: 'live',
  instances,
  blocks: { haproxy },
});
/** Started anew, with the registry out of reach: not even the service's block is known, if its znode has it. */
const pending: ServiceView = { ...live([], {}), source: 'pending' };
/** Started anew, and told that there are none. */
const previous: ServiceView = { ...live([], {}), source: 'previous' };

function look(view: ServiceView, lastGood?: DesiredState, memory: Memory = emptyMemory): Promise<Desire> {
  return desire({ services: [view] }, { config, memory, hosts, lastGood, now });
}

describe('instances with host names', () => {
  const named: Instance = { host: 'app.example', port: 80, name: 'one' };

  it('keep their last addresses over a restart with a broken DNS', async () => {
    const started = (answer: () => Promise<readonly string[]>) => ({
      ...{ config, memory: emptyMemory, now },
      hosts: new HostResolver({ clock: new FakeClock(), onChange: () => undefined, lookup: answer }),
    });
    const view = { services: [live([named])] };
    const before = await desire(view, { ...started(async () => ['10.0.0.9']), lastGood: undefined });
    expect(render(before.desired)).toContain('server one_app.example:80 10.0.0.9:80');
    const broken = started(() => Promise.reject(new Error('SERVFAIL')));
    const after = await desire(view, { ...broken, lastGood: before.desired });
    expect(render(after.desired)).toBe(render(before.desired));
  });
});

describe('a service whose block has errors', () => {
  it('keeps its last good block, with the instances of now', async () => {
    const before = await look(live([one]));
    const bad = await look(live([two], { ...block, port: 'abc' }), before.desired, before.memory);
    const good = await look(live([two]), before.desired, before.memory);
    expect(render(bad.desired)).toBe(render(good.desired));
    expect(bad.issues.map(({ severity }) => severity)).toEqual(['error', 'warning']);
    expect(serviceMemory(bad.memory, 'web').block).toEqual(serviceMemory(good.memory, 'web').block);
  });
});

describe('a service of which nothing is known', () => {
  it.each([
    ['pending', pending],
    ['empty, and to keep its previous instances', previous],
  ])('%s: keeps its sections of the last run, without any state file', async (_, view) => {
    const before = await look(live([one, two]));
    const after = await look(view, before.desired);
    expect(render(after.desired)).toBe(render(before.desired));
  });

  it('keeps its place among the others', async () => {
    const [a, b] = [
      { ...live([one], {}), name: 'a' },
      { ...live([two], {}), name: 'b' },
    ];
    const context = { config, memory: emptyMemory, hosts, now };
    const before = await desire({ services: [a, b] }, { ...context, lastGood: undefined });
    const views = { services: [{ ...a, source: 'pending', instances: [] } as const, b] };
    const after = await desire(views, { ...context, lastGood: before.desired });
    expect(after.desired.services.map(({ service }) => service)).toEqual(['a', 'b']);
  });

  it('falls back to memory, and then to default servers', async () => {
    const { memory } = await look(live([one]));
    const remembered = await look({ ...pending, blocks: { haproxy: block } }, undefined, memory);
    expect(render(remembered.desired)).toContain('server one_10.0.0.1:80');
    const defaults = await look({ ...pending, instances: [two] });
    expect(render(defaults.desired)).toContain('server with_underscore_10.0.0.2:80');
  });

  it('goes when the operator disables it', async () => {
    const before = await look(live([one]));
    const after = await look({ ...pending, blocks: { haproxy: { disabled: true } } }, before.desired);
    expect(after.desired.services).toEqual([]);
  });

  it('gives way to what is known', async () => {
    const before = await look(live([one]));
    const after = await look(live([]), before.desired);
    expect(render(after.desired)).not.toContain('10.0.0.1');
  });
});

describe('a service whose definition has errors', () => {
  it('keeps its sections, and its memory past its time', async () => {
    const before = await look(live([one]));
    const later = now + 10 * 86_400_000;
    const view = { services: [], unreadable: ['web'] };
    const { desired: lastGood, memory } = before;
    const after = await desire(view, { config, memory, hosts, lastGood, now: later });
    expect(render(after.desired)).toBe(render(before.desired));
    expect(after.memory).toEqual(memory);
    const gone = await desire({ services: [] }, { config, memory, hosts, lastGood, now: later });
    expect(gone.desired.services).toEqual([]);
  });
});

describe('addLastKnown', () => {
  it('keeps the ids of servers that no state file remembers', async () => {
    const before = await look(live([one, two]));
    const memory = addLastKnown(emptyMemory, before.desired.services, now / 1000);
    const again = await look(live([two, one]), before.desired, memory);
    const ids = ({ desired }: Desire) =>
      Object.fromEntries(desired.services[0]!.backend.servers.map(({ name, id }) => [name, id]));
    expect(ids(again)).toEqual(ids(before));
    const servers = [...serviceMemory(memory, 'web').servers.values()];
    expect(servers.map(({ instance }) => instance).sort((x, y) => x.host.localeCompare(y.host))).toEqual([
      one,
      two,
    ]);
  });

  it('does not overrule what is remembered, nor revive what had vanished', async () => {
    const { desired, memory } = await look(live([one]));
    expect(addLastKnown(memory, desired.services, 7)).toEqual(memory);
    const [web] = desired.services;
    const gone = {
      ...web!,
      backend: { ...web!.backend, servers: [{ ...web!.backend.servers[0]!, disabled: true }] },
    };
    expect(addLastKnown(emptyMemory, [gone], 7)).toEqual(emptyMemory);
  });
});

describe('a service of which nothing is known', () => {
  it('keeps the servers that HAProxy was told of last, which the file does not have yet', async () => {
    const { desired: file, memory } = await look(live([one]));
    const { desired: told } = await look(live([one, two]));
    const { servers } = told.services[0]!.backend;
    const context = { config, memory, hosts, lastGood: file, now };
    const pending = { services: [{ ...live([]), source: 'pending' as const }] };
    const standing = await desire(pending, { ...context, toldLast: () => servers });
    expect(standing.desired.services[0]!.backend.servers).toEqual(servers);
    const nobodyKnows = await desire(pending, { ...context, toldLast: () => undefined });
    expect(nobodyKnows.desired.services[0]).toBe(file.services[0]);
    const same = await desire(pending, { ...context, toldLast: () => file.services[0]!.backend.servers });
    expect(same.desired.services[0]).toBe(file.services[0]);
  });
});

describe('a service with tiers', () => {
  const location = new Map([['zone', 'a']]);
  const placed = readHaproxyBlock({ stats: false, bind_address: '127.0.0.1' }, 'h', { location }).config!;
  const near: Instance = { ...one, labels: { zone: 'a' } };
  const haproxy = { ...block, locality: { levels: ['zone'] } };
  const place = (views: readonly ServiceView[], lastGood?: DesiredState, memory: Memory = emptyMemory) =>
    desire({ services: views }, { config: placed, memory, hosts, lastGood, now });
  const other: ServiceView = { ...live([two], { port: 3299 }), name: 'zz' };
  const sections = ({ desired }: Desire) => desired.services.map(({ service }) => service);

  it.each([
    ['nothing is known', pending],
    ['its block is refused', live([near, two], { port: 'x' })],
  ])('keeps them with its last good sections while %s', async (_, view) => {
    const before = await place([live([near, two], haproxy), other]);
    expect(sections(before)).toEqual(['web', 'web@zone', 'zz']);
    const after = await place([view, other], before.desired);
    expect(render(after.desired)).toBe(render(before.desired));
  });

  it('has none before its service is known anew', async () => {
    const before = await place([live([near, two]), other]);
    const after = await place([{ ...pending, blocks: { haproxy } }, other], before.desired);
    expect(render(after.desired)).toBe(render(before.desired));
    const known = await place([live([near, two], haproxy), other], after.desired);
    expect(sections(known)).toEqual(['web', 'web@zone', 'zz']);
  });

  it('loses them with the key', async () => {
    const before = await place([live([near, two], haproxy)]);
    const after = await place([live([near, two])], before.desired, before.memory);
    expect(render(after.desired)).toBe(render((await place([live([near, two])])).desired));
  });
});
