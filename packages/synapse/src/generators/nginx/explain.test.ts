import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CatalogView, Generator } from '../../catalog/types.js';
import { nginxKind } from './index.js';
import { meaningOf } from './generatorPlan.js';

const a: Instance = { host: '10.0.0.1', port: 80, name: 'a', weight: 3 };
const b: Instance = { host: '10.0.0.2', port: 80, name: 'b', weight: 0 };
const { signal } = new AbortController();

let folder: string;
let file: string;
let clock: FakeClock;
let generator: Generator;
const ends: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nginx-explain-'));
  file = join(folder, 'out/nginx.conf');
  clock = new FakeClock();
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(folder, { recursive: true, force: true });
});

const block = (more: object = {}): object => ({
  contexts: { main: [`pid ${folder}/n.pid`, `error_log ${folder}/e.log`], events: [] },
  ...{ config_file_path: file, nginx_binary: '/no/such/nginx', restart_interval: 10 },
  ...more,
});
function create(more: object = {}): void {
  const context = { clock, logger: new RecordingLogger(), metrics: createMetrics() };
  generator = nginxKind.create(block(more), context);
  const stop = new AbortController();
  const running = generator.run(() => undefined, stop.signal);
  ends.push(() => (stop.abort(), running));
}
const viewOf = (instances: readonly Instance[], web: object = {}): CatalogView => ({
  services: [
    { name: 'web', source: 'live', instances, blocks: { nginx: { port: 80, ...web } } },
    { name: 'off', source: 'live', instances, blocks: { nginx: { disabled: true } } },
  ],
});
const trace = async (instances: readonly Instance[], service = 'web') =>
  (await generator.trace!([{ service, instances }], signal))[0]!;

describe('the plan of nginx', () => {
  it('has the lines that change, each with the block that it is in, and the reload with its reason', async () => {
    create({ reload_command: 'true', start_command: 'true' });
    const first = await generator.plan!(viewOf([a]), signal);
    expect(first.files).toEqual([{ path: file, changes: ['it does not exist yet'] }]);
    expect(first.reload).toMatchObject([{ kind: 'process-not-ours' }]);
    expect(existsSync(join(folder, 'out'))).toBe(false);
    const started = generator.reconcile(viewOf([a]), signal);
    // The start command starts nothing that could be seen: it is waited for in vain.
    while ((await Promise.race([started, Promise.resolve()])) === undefined) {
      await clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await generator.plan!(viewOf([a]), signal)).toMatchObject({ files: [], reload: [] });
    const { files, reload, notes, commands } = await generator.plan!(viewOf([b]), signal);
    expect(files).toEqual([
      {
        path: file,
        changes: [
          '- http upstream web server 10.0.0.1:80 weight=3;',
          '+ http upstream web server 10.0.0.2:80 down;',
        ],
      },
    ]);
    expect(reload).toEqual([
      { kind: 'lines-changed', detail: expect.stringMatching(/^other lines of web: true/) as string },
    ]);
    expect(commands).toEqual([]);
    expect(notes.join()).toContain('what it rejects is held back');
    expect(readFileSync(file, 'utf8')).toContain('10.0.0.1');
  });

  it('reads any nginx.conf by its blocks', () => {
    expect(meaningOf('# c\nhttp {\n  upstream  web {\n\tserver   a:1;\n }\n}\nuser x;\n')).toEqual([
      'http {',
      'http upstream web {',
      'http upstream web server a:1;',
      'user x;',
    ]);
  });

  it('plans nothing where nothing may be written', async () => {
    create({ do_writes: false });
    const { files, notes } = await generator.plan!(viewOf([a]), signal);
    expect([files, notes]).toEqual([[], ['do_writes is false: nothing is written, and nothing reloaded']]);
  });
});

describe('the trace of nginx', () => {
  it('follows a server into the file, with the time of each step; none is disabled by mistake', async () => {
    create({ do_reloads: false });
    expect((await trace([a])).steps).toMatchObject([{ ok: false, detail: 'no pass was made yet' }]);
    await generator.reconcile(viewOf([a]), signal);
    const first = clock.now();
    await clock.advance(60_000);
    const bad: Instance = { host: '10.0.0.3;', port: 80 };
    await generator.reconcile(viewOf([a, b, bad]), signal);
    const { steps, servers } = await trace([a, b, bad]);
    expect(steps).toMatchObject([
      { step: 'desired', ok: true, detail: 'http, 2 servers', at: first },
      { step: 'loaded', ok: true, detail: `in ${file}`, at: first },
    ]);
    expect(servers).toMatchObject([
      { server: 'a_10.0.0.1:80', state: 'listed', weight: 3, steps: [{ at: first }, { at: first }] },
      { server: 'b_10.0.0.2:80', state: 'listed', steps: [{}, { at: first + 60_000 }] },
      { server: '10.0.0.3;:80', state: 'unusable', steps: [{ ok: false }] },
    ]);
    const left = await trace([b]);
    expect(left.servers.map(({ server }) => server)).toEqual(['b_10.0.0.2:80', '10.0.0.1:80']);
    expect(await trace([a], 'off')).toEqual({
      steps: [{ step: 'desired', ok: true, detail: 'disabled: it is not in nginx.conf' }],
      servers: [],
    });
  });

  it('says of a service that nginx rejects what stands in for it, and what nginx says', async () => {
    const script = join(folder, 'check');
    writeFileSync(script, `! grep -n 'fail_timeout=never' "$1" >/dev/null`);
    create({ do_reloads: false, check_command: `sh ${script} ${file}` });
    await generator.reconcile(viewOf([a]), signal);
    await generator.reconcile(viewOf([a, b], { server_options: 'fail_timeout=never' }), signal);
    const { steps, servers } = await trace([a, b]);
    expect(steps[1]).toMatchObject({ step: 'loaded', ok: false });
    expect(steps[1]?.detail).toMatch(/^quarantined, its last good lines stand in/);
    expect(servers.map(({ state }) => state)).toEqual(['listed', 'listed']);
  });
});
