import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TapEvent } from '../../packages/synapse/src/tap/shapes.ts';
import { cleanUp, onCleanUp, prepareVm, type Vm } from '../discovery/bed.ts';
import { startAgent } from '../harness/agents.ts';
import { eventually } from '../harness/eventually.ts';
import { get, startLoad } from '../harness/load.ts';
import { startHttpUpstream } from '../harness/upstream.ts';

const synapse = resolve(import.meta.dirname, '../../packages/synapse/bin/synapse.js');
const patience = { timeoutMs: 20_000, intervalMs: 20 };

let vm: Vm;

/** Runs a command line in a shell; resolves when it has ended. */
function shell(
  command: string,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  return new Promise((done) => {
    execFile('bash', ['-c', `set -o pipefail; ${command}`], { timeout: 30_000 }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
    });
  });
}
const run = (args: string) =>
  shell(`'${process.execPath}' '${synapse}' ${args} --address 127.0.0.1:${vm.adminPort}`);
/** A command that goes on. */
const start = (...args: string[]) => {
  const child = startAgent('synapse', [...args, '--address', `127.0.0.1:${vm.adminPort}`]);
  onCleanUp(() => child.stop());
  return child;
};
const readers = async (): Promise<number> =>
  Number(/\nsmartstack_tap_readers (\d+)\n/.exec((await vm.admin('/metrics')).body)?.[1]);
const nobodyLooks = () =>
  eventually(async () => (await readers()) === 0, { what: 'nobody looks', ...patience });

beforeAll(async () => {
  const upstream = await startHttpUpstream({ identity: 'a', host: '127.0.0.1' });
  onCleanUp(() => upstream.stop());
  vm = await prepareVm('127.0.0.1:1', ['web', 'db'], { agent: [] });
  for (const [name, mode] of [
    ['web', 'http'],
    ['db', 'tcp'],
  ] as const)
    vm.service(
      name,
      [
        'discovery: {method: base}',
        `default_servers: [{name: a, host: 127.0.0.1, port: ${upstream.port}}]`,
        `haproxy: {port: ${vm.ports[name]!}, listen: [mode ${mode}]}`,
        '',
      ].join('\n'),
    );
  await vm.start();
  await vm.serves('web', ['a']);
  const load = startLoad({
    ...{ port: vm.ports.web!, path: '/u/17?secret=1', clients: 1 },
    connections: 'keep-alive',
    paceMs: 5,
    maxRequests: 1e6,
  });
  onCleanUp(async () => {
    await load.stop();
  });
}, 60_000);
afterAll(cleanUp);

describe('synapse tap', () => {
  it('shows a line for each request, for people and for programs, and ends as it was asked to', async () => {
    const people = await run('tap web --path /u/* --status 2xx --limit 3');
    expect(people.err).toBe('synapse: 3 shown\n');
    expect(people.code).toBe(0);
    const lines = people.out.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    for (const line of lines)
      expect(line).toMatch(
        /^req at=\d\d:\d\d:\d\d\.\d{3} src=127\.0\.0\.1:\d+ dst=web\/a_127\.0\.0\.1:\d+ :method=GET :path=\/u\/17 :status=200 latency=[\d.]+m?s duration=[\d.]+m?s bytes=\d+B$/,
      );
    const programs = await run('tap web -o json --for 1500ms --max-rps 5');
    const events = programs.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as TapEvent);
    expect(events[0]).toEqual({ type: 'start', services: ['web'], notTapped: [] });
    const end = events.at(-1)!;
    expect(end).toMatchObject({ type: 'end', reason: 'duration' });
    if (end.type !== 'end') return;
    expect(end.dropped.rate).toBeGreaterThan(0);
    expect(end.sent).toBe(events.filter(({ type }) => type === 'request').length);
    expect(programs.err).toContain(`${end.dropped.rate} came faster than --max-rps`);
    expect(programs.out + people.out).not.toContain('secret');
    await nobodyLooks();
  });

  it('ends well with its reader, at Ctrl-C, and with 69 when the agent goes away', async () => {
    const head = await shell(
      `'${process.execPath}' '${synapse}' tap web --address 127.0.0.1:${vm.adminPort} | head -2`,
    );
    expect(head.out.trimEnd().split('\n')).toHaveLength(2);
    await nobodyLooks();
    const stopped = start('tap', 'web');
    await eventually(() => stopped.output.includes('req at='), { what: 'it shows requests', ...patience });
    stopped.signal('SIGINT');
    expect(await stopped.exited).toBe(0);
    expect(stopped.output).toMatch(/synapse: \d+ shown/);
    const killed = start('tap', 'web');
    await eventually(() => killed.output.includes('req at='), { what: 'it shows requests', ...patience });
    killed.signal('SIGKILL');
    await killed.exited;
    await nobodyLooks();
    const left = start('tap', 'web');
    await eventually(() => left.output.includes('req at='), { what: 'it shows requests', ...patience });
    await vm.synapse.stop();
    expect(await left.exited).toBe(69);
    expect(left.output).toContain('the agent went away');
    await vm.start();
  });

  it('says why it cannot', async () => {
    const tcp = await run('tap db');
    expect([tcp.code, tcp.out]).toEqual([1, '']);
    expect(tcp.err).toContain('db cannot be tapped: it is in mode tcp');
    const unknown = await run('tap wep');
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('did you mean "web"')]);
    for (const flags of ['--source here', '--for soon'])
      expect((await run(`tap web ${flags}`)).code, flags).toBe(64);
    const foreign = await fetch(`http://127.0.0.1:${vm.adminPort}/v1/tap`, {
      headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
    });
    expect(foreign.status).toBe(403);
  });
});

describe('synapse top', () => {
  it('sums up in a table, once, where nobody watches', async () => {
    await get({ port: vm.ports.web!, path: '/once' });
    const { code, out } = await run('top --for 1s');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^SOURCE +DESTINATION +METHOD +PATH +COUNT +BEST +WORST +LAST +SUCCESS\n127\.0\.0\.1 +web\/a_127\S+ +GET +\/u\/\{id\} +\d+ .* 100\.00%\n/,
    );
    const programs = await run('top web --for 1s -o json');
    const { requests, rows } = JSON.parse(programs.out) as { requests: number; rows: { count: number }[] };
    expect(requests).toBeGreaterThan(0);
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(requests);
  });

  it('shows a page in place on a terminal, and leaves it as it was', async () => {
    const command = `${process.execPath} ${synapse} top web --for 1s --address 127.0.0.1:${vm.adminPort}`;
    const { code, out } = await shell(`script -qec '${command}' /dev/null < /dev/null`);
    expect(code).toBe(0);
    const [before, after] = out.split('\u001b[?1049l');
    expect(before).toContain('\u001b[?1049h');
    expect(before).toContain('Ctrl-C ends');
    expect(after).toContain('/u/{id}');
    await nobodyLooks();
  });
});
