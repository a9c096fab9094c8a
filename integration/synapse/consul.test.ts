import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ConsulStub } from '../harness/consul.ts';
import { eventually } from '../harness/eventually.ts';
import { listenAnywhere } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { sourceOf, startSynapse, stopAfterEach, type TestSynapse } from './bed.ts';

let consul: ConsulStub;
beforeEach(async () => {
  const own = new ConsulStub();
  consul = own;
  await own.start();
  onTestFinished(() => own.stop());
});
stopAfterEach();

const discovery = (keys: object = {}): string => {
  const all = { method: 'consul', hosts: [consul.address], ...keys };
  return `${JSON.stringify({ discovery: all, use_previous_backends: false })}\n`;
};
const instance = (id: string, more: object = {}) => ({ ID: id, Address: `10.0.0.${id}`, Port: 80, ...more });
const turns = (synapse: TestSynapse, source: string): Promise<unknown> =>
  eventually(() => sourceOf(synapse, 'web') === source, { what: `it is ${source}`, timeoutMs: 15_000 });

describe('method: consul', () => {
  it('is told of changes as they happen, of those instances that pass and have the tags', async () => {
    consul.set({ web: [instance('1', { Tags: ['v1'] }), instance('2', { passing: false }), instance('3')] });
    const synapse = await startSynapse({
      web: discovery(),
      tagged: discovery({ service: 'web', tags: ['v1'], datacenter: 'dc2' }),
    });
    await synapse.sees('web', ['10.0.0.1:80', '10.0.0.3:80']);
    await synapse.sees('tagged', ['10.0.0.1:80']);
    await eventually(() => consul.waiting === 2, { what: 'both wait for a change' });
    const asked = consul.asked.length;
    consul.set({ web: [instance('2'), instance('4', { Address: '', Tags: ['v1'] })] });
    await synapse.sees('web', ['10.0.0.2:80', '10.9.9.9:80']);
    await synapse.sees('tagged', ['10.9.9.9:80']);
    await eventually(() => consul.waiting === 2, { what: 'both wait again' });
    expect(consul.asked).toHaveLength(asked + 2);
    expect(consul.asked.find((url) => url.searchParams.has('dc'))?.search).toBe('?passing=1&dc=dc2&tag=v1');
    // A cluster that was restored from a snapshot.
    consul.set({ web: [instance('5')] }, 3);
    await synapse.sees('web', ['10.0.0.5:80']);
    await eventually(() => consul.waiting === 2, { what: 'both wait from the new index' });
    expect(consul.asked.at(-1)?.searchParams.get('index')).toBe('3');
    consul.set({});
    await synapse.sees('web', []);
  });

  it('keeps what it knows while Consul is gone, has no leader, or talks nonsense', async () => {
    consul.set({ web: [instance('1')] });
    const synapse = await startSynapse({ web: discovery() });
    await synapse.sees('web', ['10.0.0.1:80']);
    consul.leader = false;
    consul.set({});
    await turns(synapse, 'stale');
    expect(synapse.synapse.instances()[0]?.problems[0]?.reason).toBe('Consul answers 500');
    consul.leader = true;
    consul.garbage = '{"not": "a list"}';
    await eventually(
      () => synapse.synapse.instances()[0]?.problems[0]?.reason === 'Not a list of instances',
      {
        what: 'it is told',
      },
    );
    await consul.stop();
    await eventually(() => synapse.synapse.instances()[0]?.problems[0]?.reason.includes('ECONNREFUSED'), {
      what: 'the loss is told',
    });
    expect(synapse.generator.addresses('web')).toEqual(['10.0.0.1:80']);
    consul.garbage = undefined;
    consul.set({ web: [instance('2')] });
    await consul.start();
    await synapse.sees('web', ['10.0.0.2:80']);
    expect(sourceOf(synapse, 'web')).toBe('live');
  });

  it('takes no list that its token may not see for an empty one, and reads the token anew', async () => {
    const folder = makeTempDir('consul');
    onTestFinished(() => removeTempDir(folder));
    const file = join(folder, 'token');
    writeFileSync(file, 'old\n');
    consul.token = 'new';
    consul.set({ web: [instance('1')] });
    const synapse = await startSynapse({ web: discovery({ token_file: file }) }, { startupDeadlineMs: 100 });
    await eventually(
      () => synapse.log.records.some(({ fields }) => String(fields.reason).includes('token')),
      {
        what: 'it is told',
      },
    );
    await turns(synapse, 'pending');
    writeFileSync(file, 'new\n');
    await synapse.sees('web', ['10.0.0.1:80']);
    consul.token = 'newer';
    consul.set({});
    await turns(synapse, 'stale');
    expect(synapse.generator.addresses('web')).toEqual(['10.0.0.1:80']);
  });

  it('goes to another agent when one hangs up, and asks again when nothing changed for long', async () => {
    const rude = createServer((socket) => socket.destroy());
    onTestFinished(() => void rude.close());
    const hosts = [`127.0.0.1:${await listenAnywhere(rude)}`, consul.address];
    consul.set({ web: [instance('1')] });
    const synapse = await startSynapse({ web: discovery({ hosts, wait: 1 }) });
    await synapse.sees('web', ['10.0.0.1:80']);
    await eventually(() => consul.asked.length === 3, { what: 'it asks again' });
    expect(consul.asked.map(({ search }) => search)).toEqual([
      '?passing=1',
      '?passing=1&index=11&wait=1000ms',
      '?passing=1&index=11&wait=1000ms',
    ]);
    expect(sourceOf(synapse, 'web')).toBe('live');
  });
});
