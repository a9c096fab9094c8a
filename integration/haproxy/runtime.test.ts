import { systemClock } from '@smartstack/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  applyCommands,
  type AppliedCommand,
} from '../../packages/synapse/src/generators/haproxy/runtime/apply.ts';
import { defaultProbe, Prober } from '../../packages/synapse/src/generators/haproxy/runtime/probe.ts';
import { RuntimeSession } from '../../packages/synapse/src/generators/haproxy/runtime/runtimeClient.ts';
import { readProcessInfo } from '../../packages/synapse/src/generators/haproxy/runtime/runtimeSdk.ts';
import type { RuntimeCommand } from '../../packages/synapse/src/generators/haproxy/types.ts';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { tested } from './bed.ts';

const options = { clock: systemClock, deadlineMs: 2_000 };
const checks = ['check', 'inter', '200ms', 'rise', '2', 'fall', '2'];

describe.runIf(tested.dynamicServers)('commands on a running HAProxy', () => {
  let dir: string;
  let port: number;
  let haproxy: Haproxy;
  let upstreams: Upstream[];

  beforeEach(async () => {
    dir = makeTempDir('runtime');
    port = await freePort();
    upstreams = await Promise.all(
      [1, 2, 3, 4].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.7.${n}` })),
    );
    const { global, defaults } = testBase(dir);
    const [first] = upstreams;
    const config = ['global', ...global, 'defaults', ...defaults];
    config.push('frontend entry', `bind 127.0.0.1:${port}`, 'default_backend web');
    config.push('backend web', `server u1 ${first!.host}:${first!.port} id 1`, '');
    haproxy = await startHaproxy({ dir, config: config.join('\n') });
  });
  afterEach(async () => {
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  async function apply(
    commands: readonly RuntimeCommand[],
    lingering: readonly string[] = [],
  ): Promise<readonly AppliedCommand[]> {
    const prober = new Prober(defaultProbe, systemClock);
    const session = await RuntimeSession.open(haproxy.adminSocket, options);
    try {
      return await applyCommands(session, commands, {
        clock: systemClock,
        confirm: ({ address, port: at }) => prober.confirm(address, at),
        lingering: new Set(lingering),
      });
    } finally {
      session.close();
    }
  }

  function add(
    upstream: { host: string; port: number },
    id: number,
    more: Partial<RuntimeCommand> = {},
  ): RuntimeCommand {
    const { host: address, port: at } = upstream;
    const server = `s${id}`;
    const base = {
      kind: 'add-server',
      backend: 'web',
      server,
      address,
      port: at,
      id,
      options: checks,
      weight: 1,
      checked: true,
    };
    return { ...base, ...more } as RuntimeCommand;
  }

  /** Admin and operational state and weight of a server of `web`, as HAProxy tells them. */
  async function stateOf(server: string): Promise<string | undefined> {
    const answer = await haproxy.ask('show servers state web');
    const fields = answer
      .split('\n')
      .map((line) => line.split(' '))
      .find((words) => words[3] === server);
    return fields && `op ${fields[5]} admin ${fields[6]} weight ${fields[7]}`;
  }

  it('adds, weighs, drains and removes without a failed request', async () => {
    const load = startLoad({ port, clients: 8, connections: 'keep-alive', maxRequests: 100_000 });
    const [, second, third] = upstreams;
    await apply([add(second!, 2), add(third!, 3, { weight: 9 })]);
    await eventually(() => second!.served > 20 && third!.served > 20, { what: 'both new servers serve' });
    expect(await stateOf('s3')).toBe('op 2 admin 0 weight 9');

    await apply([
      { kind: 'set-weight', backend: 'web', server: 's3', weight: 0 },
      { kind: 'set-state', backend: 'web', server: 's2', state: 'drain' },
    ]);
    expect(await stateOf('s2')).toBe('op 2 admin 8 weight 1');
    const before = third!.served + second!.served;
    const first = upstreams[0]!;
    const firstBefore = first.served;
    await eventually(() => first.served > firstBefore + 100, { what: 'the first server serves on' });
    // A request or two per connection may have been on their way.
    expect(third!.served + second!.served - before).toBeLessThan(20);

    const applied = await apply(
      [2, 3].map((id) => ({ kind: 'remove-server', backend: 'web', server: `s${id}` })),
    );
    expect(applied.map(({ outcome }) => outcome.result)).toEqual(['done', 'done']);
    expect(await stateOf('s2')).toBeUndefined();
    const { failures } = await load.stop(200);
    expect(failures).toEqual([]);
  });

  it('a server that is down takes nothing until its checks pass', async () => {
    const [, second] = upstreams;
    const dead = { host: second!.host, port: await freePort() };
    const load = startLoad({ port, clients: 4, connections: 'fresh', maxRequests: 100_000 });
    const [applied] = await apply([add(dead, 2)]);
    expect(applied?.outcome.result).toBe('done');
    expect(applied?.outcome.detail).toMatch(/ECONNREFUSED/);
    expect(await stateOf('s2')).toMatch(/^op 0 /);
    const revived = await startHttpUpstream({ identity: 'revived', ...dead });
    await eventually(() => revived.served > 5, { what: 'the server is let in by the checks' });
    const { failures } = await load.stop();
    await revived.stop();
    expect(failures).toEqual([]);
  });

  it('replaces servers under keep-alive load: none sticks, no request fails', async () => {
    for (const upstream of upstreams) upstream.delay(2);
    const load = startLoad({ port, clients: 16, connections: 'keep-alive', paceMs: 0, maxRequests: 100_000 });
    let id = 10;
    let lingering: string[] = [];
    let removed = 0;
    for (let round = 0; round < 40; round += 1) {
      const fresh = [upstreams[1]!, upstreams[2]!, upstreams[3]!].map((upstream) => add(upstream, (id += 1)));
      expect((await apply(fresh)).map(({ outcome }) => outcome.result)).toEqual(['done', 'done', 'done']);
      await eventually(() => upstreams.every(({ open }) => open > 0), {
        what: 'connections to every upstream',
      });
      const gone = [...lingering, ...fresh.map(({ server }) => `web/${server}`)];
      const remove = gone.map((key): RuntimeCommand => ({
        kind: 'remove-server',
        backend: 'web',
        server: key.slice(4),
      }));
      const outcomes = await apply(remove, lingering);
      expect(outcomes.filter(({ outcome }) => outcome.result === 'failed')).toEqual([]);
      lingering = outcomes.flatMap(({ command, outcome }) =>
        outcome.result === 'lingering' ? [`web/${command.server}`] : [],
      );
      removed += outcomes.length - lingering.length;
    }
    expect(lingering.length).toBeLessThanOrEqual(3);
    expect(removed).toBeGreaterThanOrEqual(117);
    const { failures } = await load.stop(1000);
    expect(failures).toEqual([]);
  });

  it('lets a request in flight end on a server that is being removed', async () => {
    const [, second] = upstreams;
    second!.delay(600);
    await apply([add(second!, 2, { weight: 100 })]);
    const requests = Array.from({ length: 6 }, () => get({ port }));
    await eventually(() => second!.received > 0, { what: 'a request waits at the second server' });
    const remove: RuntimeCommand = { kind: 'remove-server', backend: 'web', server: 's2' };
    const [first] = await apply([remove]);
    expect(first?.outcome.result).toBe('lingering');
    const answers = await Promise.all(requests);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(answers.some(({ body }) => body === 'u2')).toBe(true);
    const [later] = await apply([remove], ['web/s2']);
    expect(later?.outcome.result).toBe('done');
  });

  it('adds 200 servers in one go, IPv6 among them', async () => {
    const many = Array.from({ length: 200 }, (_, n) => add({ host: `127.0.8.${n + 1}`, port: 9 }, n + 100));
    const six = add({ host: '::1', port: 9 }, 99);
    const applied = await apply([six, ...many]);
    expect(applied.filter(({ outcome }) => outcome.result !== 'done')).toEqual([]);
    const answer = await haproxy.ask('show servers state web');
    expect(answer.split('\n').filter((line) => / s\d+ /.test(line)).length).toBe(201);
    expect(answer).toMatch(/ s99 ::1 /);
  });

  it("tells HAProxy's own reason when it rejects a server", async () => {
    const [applied] = await apply([add(upstreams[1]!, 2, { options: ['check', 'redir', '/x'] })]);
    expect(applied?.outcome.result).toBe('failed');
    expect(applied?.outcome.detail).toMatch(/redir/);
    expect(await stateOf('s2')).toBeUndefined();
  });

  it('reads the process through haproxy-sdk, which can end nothing', async () => {
    const info = await readProcessInfo(haproxy.adminSocket, options);
    expect(info.pid).toBe(await haproxy.workerPid());
    expect(info.version).toMatch(/^\d+\.\d+/);
    await haproxy.signalAll('SIGSTOP');
    await expect(readProcessInfo(haproxy.adminSocket, { ...options, deadlineMs: 100 })).rejects.toThrow(
      /100 ms/,
    );
    await haproxy.signalAll('SIGCONT');
    await haproxy.kill();
    await expect(readProcessInfo(haproxy.adminSocket, options)).rejects.toThrow();
    await expect(readProcessInfo(`${dir}/none`, options)).rejects.toThrow();
  });
});
