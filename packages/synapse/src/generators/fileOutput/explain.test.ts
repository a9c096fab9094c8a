import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CatalogView, Generator, ViewSource } from '../../catalog/types.js';
import { fileOutputKind } from './index.js';

const a: Instance = { host: '10.0.0.1', port: 80, name: 'a' };
const b: Instance = { host: '10.0.0.2', port: 80, name: 'b' };
const { signal } = new AbortController();

let folder: string;
let directory: string;
let clock: FakeClock;
let end: () => Promise<void>;
let generator: Generator;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'file-explain-'));
  directory = join(folder, 'out');
  clock = new FakeClock();
  const context = { clock, logger: new RecordingLogger(), metrics: createMetrics() };
  generator = fileOutputKind.create({ output_directory: directory }, context);
  const stop = new AbortController();
  const running = generator.run(() => undefined, stop.signal);
  end = () => (stop.abort(), running);
});
afterEach(async () => {
  await end();
  rmSync(folder, { recursive: true, force: true });
});

const viewOf = (instances: readonly Instance[], source: ViewSource = 'live'): CatalogView => ({
  services: [
    { name: 'web', source, instances, blocks: {} },
    { name: 'off', source, instances, blocks: { file_output: { disabled: true } } },
  ],
});
const plan = (view: CatalogView) => generator.plan!(view, signal);
const trace = async (instances: readonly Instance[], service = 'web') =>
  (await generator.trace!([{ service, instances }], signal))[0]!;

describe('the plan of file_output', () => {
  it('has what each file would lose and get, and what is removed; it makes nothing, not even the folder', async () => {
    expect(await plan(viewOf([a]))).toEqual({
      ...{ commands: [], reload: [], notes: [] },
      files: [{ path: join(directory, 'web.json'), changes: ['it does not exist yet'] }],
    });
    expect(existsSync(directory)).toBe(false);
    await generator.reconcile(viewOf([a]), signal);
    expect((await plan(viewOf([a]))).files).toEqual([]);
    writeFileSync(join(directory, 'old.json'), '[]');
    const { files } = await plan(viewOf([b]));
    expect(files).toEqual([
      {
        path: join(directory, 'web.json'),
        changes: [
          expect.stringMatching(/^- .*"10\.0\.0\.1"/) as string,
          expect.stringMatching(/^\+ .*"10\.0\.0\.2"/) as string,
        ],
      },
      { path: join(directory, 'old.json'), changes: ['it is removed: there is no such service'] },
    ]);
    expect(readdirSync(directory).filter((name) => name.endsWith('.json'))).toEqual(['old.json', 'web.json']);
    expect(readFileSync(join(directory, 'web.json'), 'utf8')).toContain('10.0.0.1');
  });

  it('leaves a file alone of which nobody knows better, and tells of one that is no list', async () => {
    mkdirSync(directory);
    writeFileSync(join(directory, 'web.json'), 'garbage');
    expect((await plan(viewOf([], 'pending'))).files).toEqual([]);
    const [file] = (await plan(viewOf([a]))).files;
    expect(file?.changes).toEqual(['- garbage', expect.stringMatching(/^\+ .*10\.0\.0\.1/)]);
  });
});

describe('the trace of file_output', () => {
  it('says since when a server is in its file, and of one that is not, why', async () => {
    expect((await trace([a])).steps).toMatchObject([{ ok: false, detail: 'no pass was made yet' }]);
    await generator.reconcile(viewOf([a]), signal);
    const first = clock.now();
    await clock.advance(60_000);
    const held: Instance = { host: '10.0.0.9', port: 80, held: true };
    await generator.reconcile(viewOf([a, b, held]), signal);
    const { steps, servers } = await trace([a, b, held]);
    const path = join(directory, 'web.json');
    expect(steps).toMatchObject([
      { step: 'desired', ok: true, detail: '2 instances' },
      { step: 'loaded', ok: true, at: first, detail: `${path}: 2 instances` },
    ]);
    expect(servers).toMatchObject([
      { server: 'a_10.0.0.1:80', state: 'listed', steps: [{}, { at: first, detail: `in ${path}` }] },
      { server: 'b_10.0.0.2:80', state: 'listed', steps: [{}, { at: first + 60_000 }] },
      {
        server: '10.0.0.9:80',
        state: 'absent',
        steps: [{ detail: expect.stringContaining('lost it') as string }, {}],
      },
    ]);
    expect(servers.every(({ takesTraffic }) => takesTraffic === undefined)).toBe(true);
  });

  it('looks at the file that is there: hands may have taken a server out, or put one in', async () => {
    await generator.reconcile(viewOf([a]), signal);
    writeFileSync(join(directory, 'web.json'), JSON.stringify([b, null, 7]));
    const { servers } = await trace([a]);
    expect(servers.map(({ server, state }) => [server, state])).toContainEqual(['a_10.0.0.1:80', 'absent']);
    expect(servers.map(({ server }) => server)).toContain('b_10.0.0.2:80');
    writeFileSync(join(directory, 'web.json'), 'garbage');
    expect((await trace([a])).steps[1]).toMatchObject({ ok: false });
    rmSync(join(directory, 'web.json'));
    expect((await trace([a])).servers).toMatchObject([{ state: 'absent' }]);
  });

  it('has no fault to find in a service that is disabled', async () => {
    await generator.reconcile(viewOf([a]), signal);
    expect(await trace([a], 'off')).toEqual({
      steps: [{ step: 'desired', ok: true, detail: 'disabled: it has no file' }],
      servers: [],
    });
  });
});
