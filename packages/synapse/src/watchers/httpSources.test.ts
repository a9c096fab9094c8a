import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Clock, systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Snapshot, Watcher } from '../catalog/types.js';
import { createWatcher, discoverySchema } from './index.js';
import { tasksOf } from './marathon.js';
import { containersOf } from './docker.js';
import type { WatcherContext } from './types.js';

type Answer = (
  path: string,
) => { readonly status?: number; readonly body: string } | 'hang' | 'cut' | 'reset';

let answer: Answer;
let server: Server;
let requests: { readonly path: string; readonly authorization: string | undefined }[];
let snapshots: Snapshot[];
let stop: AbortController;
let done: Promise<void>;
let folder: string;

async function listen(at: number | string): Promise<void> {
  server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push({ path, authorization: request.headers.authorization });
    const said = answer(path);
    if (said === 'hang') return;
    if (said === 'reset') request.socket.destroy();
    else if (said === 'cut') {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('[');
      setImmediate(() => request.socket.destroy());
    } else response.writeHead(said.status ?? 200).end(said.body);
  });
  await new Promise<void>((resolve) => server.listen(at, () => resolve()));
}
const port = () => (server.address() as AddressInfo).port;

beforeEach(() => {
  requests = [];
  snapshots = [];
  stop = new AbortController();
  done = Promise.resolve();
  folder = mkdtempSync(join(tmpdir(), 'synapse-http-'));
});
afterEach(async () => {
  stop.abort();
  await done;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

function watch(discovery: object, clock: Clock = systemClock): RecordingLogger {
  const logger = new RecordingLogger();
  const context = {
    ...{ service: 'web', clock, logger },
    metrics: { undecodable: () => undefined },
    protect: (watcher: Watcher) => watcher,
  } as unknown as WatcherContext;
  const often = clock === systemClock ? { check_interval: 0.02 } : {};
  const options = discoverySchema(discovery).parse({ ...often, ...discovery });
  done = createWatcher(options, context).run((snapshot) => void snapshots.push(snapshot), stop.signal);
  return logger;
}
const shown = (): string => {
  const last = snapshots.at(-1);
  if (last === undefined || last.status === 'pending') return 'nothing';
  return `${last.status} ${last.instances.map((one) => `${one.name ?? ''}@${one.host}:${one.port}`).join(' ')}`;
};
const awaited = (expected: string) => vi.waitFor(() => expect(shown()).toBe(expected), { timeout: 10_000 });
const json = (value: unknown) => ({ body: JSON.stringify(value) });

const container = (image: string, ...ports: object[]) => ({ Id: 'c'.repeat(64), Image: image, Ports: ports });
const published = (inner: number, outer: number, type = 'tcp') => ({
  ...{ IP: '0.0.0.0', PrivatePort: inner, PublicPort: outer, Type: type },
});
const task = (host: unknown, ports: unknown, startedAt: unknown = '2024-01-01T00:00:00.000Z') => ({
  ...{ id: `web.${String(host)}`, host, ports, startedAt, appId: '/web' },
});

describe.each([
  [
    'docker',
    () => ({
      method: 'docker',
      servers: [{ name: 'd', host: '127.0.0.1', port: port() }],
      image_name: 'web',
      container_port: 80,
    }),
    json([container('web:1', published(80, 32768))]),
    'd@127.0.0.1:32768',
    json([]),
    15_000,
  ],
  [
    'marathon',
    () => ({ method: 'marathon', marathon_api_url: `http://127.0.0.1:${port()}`, application_name: 'web' }),
    json({ tasks: [task('h', [31000])] }),
    'h@h:31000',
    json({ tasks: [] }),
    10_000,
  ],
] as const)('%s', (_, discovery, good, instances, empty, everyMs) => {
  it('follows what the server says, also that there is nothing', async () => {
    answer = () => good;
    await listen(0);
    watch(discovery());
    await awaited(`live ${instances}`);
    answer = () => empty;
    await awaited('live ');
  });

  it.each<[string, ReturnType<Answer>]>([
    ['fails', { status: 500, body: '[]' }],
    ['knows nothing of it', { status: 404, body: '{"message":"no"}' }],
    ['moves', { status: 302, body: '' }],
    ['says nonsense', { body: '<html>' }],
    ['says something else', { body: '{"tasks": 7}' }],
    ['says null', { body: 'null' }],
    ['breaks off', 'cut'],
    ['hangs up', 'reset'],
    ['says too much', { body: `["${'x'.repeat(33 * 1024 * 1024)}"]` }],
  ])('keeps what it knew as stale when the server %s', async (__, bad) => {
    answer = () => good;
    await listen(0);
    watch(discovery());
    await awaited(`live ${instances}`);
    answer = () => bad;
    await awaited(`stale ${instances}`);
    expect(snapshots.at(-1)).toMatchObject({ problems: [{ path: expect.any(String) as string }] });
    answer = () => good;
    await awaited(`live ${instances}`);
  });

  it(`asks every ${everyMs / 1000} s unless it is told otherwise, as Ruby does, give or take a tenth`, async () => {
    const clock = new FakeClock();
    answer = () => good;
    await listen(0);
    watch(discovery(), clock);
    await awaited(`live ${instances}`);
    await clock.advance(everyMs * 0.9 - 1);
    expect(requests).toHaveLength(1);
    await clock.advance(everyMs * 0.2 + 1);
    await vi.waitFor(() => expect(requests).toHaveLength(2), { timeout: 10_000 });
  });

  it('ends while a question hangs', async () => {
    answer = () => 'hang';
    await listen(0);
    watch(discovery());
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    stop.abort();
    await done;
    expect(snapshots).toEqual([]);
  });
});

describe('docker', () => {
  it('asks port 4243 unless it is told otherwise, as Ruby does', async () => {
    answer = () => json([]);
    await listen(0);
    const server = { name: 'd', host: '192.0.2.1' };
    const clock = new FakeClock();
    // Nobody answers there, whatever network this is: a question of ten seconds is given up.
    const logger = watch(
      { method: 'docker', servers: [server], image_name: 'web', container_port: 80 },
      clock,
    );
    await vi.waitFor(async () => {
      await clock.advance(10_000);
      expect(logger.records[0]?.fields).toMatchObject({ source: 'docker at 192.0.2.1:4243' });
    });
  });

  it('asks a unix socket', async () => {
    const socket = join(folder, 'docker.sock');
    answer = () => json([container('web:1', published(80, 32768))]);
    await listen(socket);
    watch({ method: 'docker', servers: [{ name: 's', socket }], image_name: 'web', container_port: 80 });
    await awaited('live s@127.0.0.1:32768');
    expect(requests[0]?.path).toBe('/containers/json');
  });

  it('keeps the containers of a server that is lost, while another one answers', async () => {
    answer = () => json([container('web:1', published(80, 1000))]);
    await listen(0);
    const first = server;
    const firstPort = port();
    await listen(0);
    const at = (name: string, on: number) => ({ name, host: '127.0.0.1', port: on });
    watch({
      ...{ method: 'docker', image_name: 'web', container_port: 80 },
      servers: [at('a', firstPort), at('b', port())],
    });
    await awaited('live a@127.0.0.1:1000 b@127.0.0.1:1000');
    first.closeAllConnections();
    await new Promise((resolve) => first.close(resolve));
    await awaited('stale a@127.0.0.1:1000 b@127.0.0.1:1000');
  });

  it.each([
    ['web', 'web:1', true],
    ['web', 'web', true],
    ['web', 'web@sha256:abc', true],
    ['web', 'web:1@sha256:abc', true],
    ['web', 'docker.io/library/web:latest', true],
    ['web', 'localhost/web:latest', true],
    ['web', 'team/web:1', false],
    ['web', 'webx:1', false],
    ['registry:5000/team/web', 'registry:5000/team/web', true],
    ['registry:5000/team/web', 'registry:5000/team/web:2', true],
    ['registry', 'registry:5000/web', false],
  ])('takes image_name %s for %s: %j', (image_name, image, expected) => {
    const found = containersOf(
      [container(image, published(80, 1))],
      { host: 'h', name: 'n' },
      {
        image_name,
        container_port: 80,
      },
    );
    expect(found.instances).toHaveLength(expected ? 1 : 0);
  });

  it('survives hostile lists, and tells of containers whose port is not published', () => {
    const list = [
      ...[null, 7, [], {}, { Image: 7 }, { Image: 'web:1' }, { Image: 'web:1', Ports: {} }],
      container('web:1', { PrivatePort: 80, Type: 'tcp' }, { PrivatePort: '80', PublicPort: 1 }),
      container('web:1', published(80, 70_000), published(80, 5, 'udp')),
      container('web:1', published(81, 1), published(80, 9), published(80, 8)),
    ];
    const found = containersOf(
      list,
      { host: 'h', name: undefined },
      { image_name: 'web', container_port: 80 },
    );
    expect(found.instances).toEqual([{ host: 'h', port: 8 }]);
    expect(found.problems).toHaveLength(4);
    expect(found.problems?.[2]).toEqual({
      path: 'container cccccccccccc',
      reason: 'port 80 is not published on the host',
    });
  });
});

describe('marathon', () => {
  it.each([
    [{ application_name: 'web' }, '/v2/apps/web/tasks'],
    [{ application_name: '/group/web' }, '/v2/apps/group/web/tasks'],
    [{ application_name: 'web', marathon_api_path: '/v3/%{app}?x=1' }, '/v3/web?x=1'],
  ])('asks for %j', async (options, path) => {
    answer = () => json({ tasks: [] });
    await listen(0);
    watch({ method: 'marathon', marathon_api_url: `http://me:secr%20et@127.0.0.1:${port()}`, ...options });
    await awaited('live ');
    expect(requests[0]).toEqual({
      path,
      authorization: `Basic ${Buffer.from('me:secr et').toString('base64')}`,
    });
  });

  it('takes started tasks only, in the order of their hosts, and survives hostile ones', () => {
    const tasks = [
      task('b', [1, 2]),
      task('a', [3, 4]),
      task('waiting', [1, 2], null),
      ...[
        null,
        7,
        [],
        {},
        task('', [1, 2]),
        task(7, [1, 2]),
        task('few', [1]),
        task('none', null),
        task('odd', [1, 'x']),
      ],
    ];
    const found = tasksOf({ tasks }, 1);
    expect(found.instances).toEqual([
      { host: 'a', port: 4, name: 'a' },
      { host: 'b', port: 2, name: 'b' },
    ]);
    expect(found.problems?.map(({ path, reason }) => `${path}: ${reason}`)).toEqual([
      'task web.: it has no host',
      'task web.7: it has no host',
      'task web.few: it has no port at index 1',
      'task web.none: it has no port at index 1',
      'task web.odd: it has no port at index 1',
    ]);
  });
});
