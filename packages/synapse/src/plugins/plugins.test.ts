import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createMetrics, formatIssue, systemClock } from '@smartstack/agent';
import { importModule } from '@smartstack/agent/importing';
import { PluginLoader } from '@smartstack/agent/plugins';
import { RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Snapshot, Watcher } from '../catalog/types.js';
import { loadConfiguration } from '../config/load.js';
import type { GeneratorTable } from '../generators/types.js';
import { variantsOf } from '../variants.js';
import { createWatcher } from '../watchers/index.js';
import { checkedSnapshot } from '../watchers/plugin.js';
import type { WatcherContext } from '../watchers/types.js';

const haproxy = { check: () => [], checkService: () => [] } as never;
const plugins = new PluginLoader({ clock: systemClock, importModule, limitMs: 15_000 });
const logger = new RecordingLogger();

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'synapse-modules-'))));
afterEach(() => rmSync(folder, { recursive: true }));

async function read(files: Readonly<Record<string, string>>, table?: GeneratorTable) {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const generators: GeneratorTable = table ?? new Map([['haproxy', haproxy]]);
  const { configuration, issues } = await loadConfiguration({
    file: join(folder, 'synapse.yaml'),
    env: {},
    variants: variantsOf(generators, plugins),
  });
  const told = issues.map((issue) => formatIssue(issue).replaceAll(`${folder}/`, ''));
  return { configuration, told, generators };
}

const service = (discovery: string): string =>
  `haproxy: {}\nservices:\n  web:\n    discovery: ${discovery}\n`;

const list = `
export default ({ z, define }) =>
  define({
    options: { hosts: z.array(z.string()) },
    create: ({ hosts }, { service }) => ({
      run: (emit, signal) => {
        emit({ status: 'live', instances: [...hosts.map((host) => ({ host, port: 80, name: service })), 7] });
        return new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    }),
  });
`;
const named = `
export default ({ z, define }) =>
  define({
    options: { want: z.string() },
    resolve: ({ want }, sources) => {
      if (want === 'throw') throw new Error('no idea');
      if (want === 'garbage') return 'garbage';
      return sources.every(({ status }) => status === 'live') ? [want] : undefined;
    },
  });
`;

const watcherContext = (): WatcherContext =>
  ({
    ...{ service: 'web', clock: systemClock, logger, patienceMs: 100 },
    metrics: { undecodable: () => undefined },
    protect: (watcher: Watcher) => watcher,
  }) as unknown as WatcherContext;

async function snapshotsOf(files: Readonly<Record<string, string>>): Promise<Snapshot[]> {
  const { configuration, told } = await read(files);
  expect(told).toEqual([]);
  const discovery = configuration?.services.get('web')?.discovery;
  if (discovery === undefined) throw new Error('no service');
  const snapshots: Snapshot[] = [];
  const stop = new AbortController();
  const done = createWatcher(discovery, watcherContext()).run((one) => void snapshots.push(one), stop.signal);
  await vi.waitFor(() => expect(snapshots.at(-1)?.status).toBe('live'), 5_000);
  stop.abort();
  await done;
  return snapshots;
}

describe('a watcher of a module', () => {
  it('has its options looked at, and says instances', async () => {
    const snapshots = await snapshotsOf({
      'synapse.yaml': service('{method: list, module: ./list.mjs, hosts: [a, b]}'),
      'list.mjs': list,
    });
    expect(snapshots.at(-1)).toEqual({
      status: 'live',
      instances: [
        { host: 'a', port: 80, name: 'web' },
        { host: 'b', port: 80, name: 'web' },
      ],
      problems: [{ path: 'list[2]', reason: expect.stringMatching(/expected object/) as string }],
    });
  });

  it('has its label filters as any, and its problems with their places', async () => {
    const filters = 'label_filters: [{label: az, value: a, condition: equals}]';
    const { configuration, told } = await read({
      'synapse.yaml': service(`{method: list, module: ./list.mjs, hosts: [a], host: 1, ${filters}}`),
      'list.mjs': list,
    });
    expect(told).toEqual([
      'synapse.yaml:4:63 services.web.discovery.host: Unknown key, did you mean "hosts"? (warning)',
    ]);
    expect(configuration?.services.get('web')?.rules.labelFilters).toHaveLength(1);
    const bad = await read({ 'synapse.yaml': service('{method: list, module: ./list.mjs, hosts: 7}') });
    expect(bad.told).toEqual([expect.stringMatching(/^synapse\.yaml:4:58 .*\.hosts: .*expected array/)]);
    const filter = await read({
      'synapse.yaml': service('{method: list, module: ./list.mjs, hosts: [], label_filters: 7}'),
    });
    expect(filter.told).toEqual([expect.stringMatching(/label_filters: .*expected array/)]);
  });

  it.each([
    ['is missing', undefined, /ENOENT/],
    ['throws', 'throw new Error("no beans")', /x\.mjs: no beans/],
    ['exports something else', 'export default 7', /is no watcher: expected define\(\{ options, create \}\)/],
    ['ends the process', 'process.exit(0)', /ends its process/],
  ])('is an error of its service when its module %s', async (_, text, message) => {
    const { configuration, told } = await read({
      'synapse.yaml': service('{method: x, module: ./x.mjs}'),
      ...(text === undefined ? {} : { 'x.mjs': text }),
    });
    expect(told).toEqual([expect.stringMatching(message)]);
    expect(told[0]).toMatch(/^synapse\.yaml:4:36 services\.web\.discovery\.module: /);
    expect(configuration?.services.size).toBe(0);
  });

  it.each([
    ['undefined', undefined],
    ['a number', 7],
    ['another status', { status: 'gone', instances: [] }],
    ['no instances', { status: 'live' }],
    ['a text', { status: 'live', instances: 'x' }],
    ['too many', { status: 'live', instances: Array.from({ length: 10_001 }) }],
  ])('says nothing that can be used with %s', (_, said) => {
    expect(() => checkedSnapshot(said, 'x')).toThrow(/it emits/);
  });

  it('says what can be used of it beside what cannot', () => {
    const instances = [
      { host: 'a', port: '80' },
      null,
      { host: '', port: 1 },
      { host: 'b', port: 70_000 },
      [],
    ];
    expect(checkedSnapshot({ status: 'stale', instances }, 'x')).toMatchObject({
      status: 'stale',
      instances: [{ host: 'a', port: 80 }],
      problems: [{ path: 'x[1]' }, { path: 'x[2]' }, { path: 'x[3]' }, { path: 'x[4]' }],
    });
    expect(checkedSnapshot({ status: 'pending' }, 'x')).toEqual({ status: 'pending' });
  });
});

describe('a resolver of a module', () => {
  const multi = (want: string): string =>
    service(
      `{method: multi, watchers: {a: {method: list, module: ./list.mjs, hosts: [x]}, b: {method: list, module: ./list.mjs, hosts: [y]}}, resolver: {method: mine, module: ./named.mjs, want: ${want}}}`,
    );
  const files = { 'list.mjs': list, 'named.mjs': named };

  it('names the watchers that count', async () => {
    const snapshots = await snapshotsOf({ ...files, 'synapse.yaml': multi('b') });
    expect(snapshots.at(-1)).toMatchObject({
      instances: [{ host: 'y' }],
      parts: [
        { name: 'a', used: false },
        { name: 'b', used: true },
      ],
    });
  });

  it.each(['throw', 'garbage', 'nobody'])('that fails (%s) leaves the service as it was', async (want) => {
    const { configuration } = await read({ ...files, 'synapse.yaml': multi(want) });
    const discovery = configuration?.services.get('web')?.discovery;
    if (discovery === undefined) throw new Error('no service');
    const snapshots: Snapshot[] = [];
    const stop = new AbortController();
    const done = createWatcher(discovery, watcherContext()).run(
      (one) => void snapshots.push(one),
      stop.signal,
    );
    await vi.waitFor(() =>
      expect(snapshots.at(-1)?.parts?.map(({ status }) => status)).toEqual(['live', 'live']),
    );
    expect(snapshots.at(-1)?.status).toBe('pending');
    expect(logger.records.map(({ message }) => message)).toContain(
      'a resolver failed, what it decided last stays',
    );
    stop.abort();
    await done;
  });
});

const board = `
export default ({ z, define }) =>
  define({
    options: { title: z.string() },
    create: ({ title }) => {
      let seen = 0;
      return {
        reconcile: (view) => {
          if (title === 'broken') throw new Error('no chalk');
          seen = view.services.length;
        },
        status: () => ({ title, seen }),
      };
    },
    render: ({ title }, view) => [title, ...view.services.map(({ name }) => name)].join('\\n'),
    checkService: ({ colour }) => (colour === 'pink' ? ['no pink'] : []),
  });
`;

describe('a generator of a module', () => {
  const main = (title: string): string =>
    `board: {module: ./board.mjs, title: ${title}}\nservices: {web: {discovery: {method: base}, default_servers: [{host: a, port: 1}], board: {colour: BLUE}}}\n`;
  const view = { services: [{ name: 'web', source: 'live' as const, instances: [], blocks: {} }] };
  const context = { clock: systemClock, logger, metrics: createMetrics() };
  const signal = new AbortController().signal;

  it('is one like any other', async () => {
    const { configuration, told, generators } = await read({
      'synapse.yaml': main('Today'),
      'board.mjs': board,
    });
    expect(told).toEqual([]);
    const block = configuration?.main.generators.get('board');
    const kind = generators.get('board');
    const generator = kind?.create(block, context);
    expect(await generator?.reconcile(view, signal)).toEqual({ outcome: 'runtime' });
    expect(generator?.status()).toEqual({ title: 'Today', seen: 1 });
    expect((await kind?.render(block, view, systemClock))?.text).toBe('Today\nweb');
    generator?.configure({ title: 'broken' });
    await expect(generator?.reconcile(view, signal)).rejects.toThrow('no chalk');
    generator?.configure({ title: 7 });
    await expect(generator?.reconcile(view, signal)).rejects.toThrow(/the module: /);
  });

  it('tells what is wrong with its blocks', async () => {
    const { told } = await read({
      'synapse.yaml': main('7').replace('BLUE', 'pink'),
      'board.mjs': board,
    });
    expect(told).toEqual([
      expect.stringMatching(/^synapse\.yaml:1:37 board\.title: .*expected string/),
      expect.stringMatching(/ services\.web\.board: no pink$/),
    ]);
  });

  it('whose module is missing is an error of its block; another generator goes on', async () => {
    const { configuration, told } = await read({ 'synapse.yaml': `haproxy: {}\n${main('x')}` });
    expect(told).toEqual([expect.stringMatching(/^synapse\.yaml:2:17 board\.module: ENOENT/)]);
    expect([...(configuration?.main.generators.keys() ?? [])]).toEqual(['haproxy']);
  });
});
