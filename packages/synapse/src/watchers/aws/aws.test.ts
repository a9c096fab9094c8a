import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';

import { type Clock, systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Snapshot, Watcher } from '../../catalog/types.js';
import { createWatcher, discoverySchema } from '../index.js';
import type { WatcherContext } from '../types.js';
import { optionalLibrary } from './optional.js';

/** Speaks as much of the documented protocols as is asked for. */
type Answer = (
  query: URLSearchParams,
  request: IncomingMessage,
) => { readonly status?: number; readonly body: string } | 'hang' | 'cut';

let answer: Answer;
let server: Server;
let seen: { readonly path: string; readonly query: URLSearchParams; readonly authorization: string }[];
let snapshots: Snapshot[];
let stop: AbortController;
let done: Promise<void>;
let logger: RecordingLogger;
const resolverSwitched = vi.fn();
const weightsFailed = vi.fn();

beforeEach(async () => {
  [seen, snapshots, stop, done] = [[], [], new AbortController(), Promise.resolve()];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      const query = new URLSearchParams(body);
      seen.push({ path: request.url ?? '', query, authorization: request.headers.authorization ?? '' });
      const said = answer(query, request);
      if (said === 'hang') return;
      if (said === 'cut') {
        response.writeHead(200, { 'content-length': 1000 }).write('<Desc');
        setImmediate(() => request.socket.destroy());
        return;
      }
      const { status = 200, body: text } = said;
      response.writeHead(status, { 'content-type': 'text/xml' }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv('AWS_REGION', 'eu-west-1');
  // No file, process or machine of whoever runs this has a part in it.
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere/config');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere/credentials');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'of-the-chain');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
});
afterEach(async () => {
  stop.abort();
  await done;
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function watch(discovery: object, clock: Clock = systemClock): void {
  logger = new RecordingLogger();
  const context = {
    service: 'web',
    clock,
    logger,
    events: { multiStarted: () => undefined, multiStopped: () => undefined, resolverSwitched, weightsFailed },
    patienceMs: 500,
    metrics: { undecodable: () => undefined },
    protect: (watcher: Watcher) => watcher,
  } as unknown as WatcherContext;
  const options = discoverySchema(discovery).parse(discovery);
  done = createWatcher(options, context).run((snapshot) => void snapshots.push(snapshot), stop.signal);
}
const shown = (): string => {
  const last = snapshots.at(-1);
  if (last === undefined || last.status === 'pending') return 'nothing';
  return `${last.status} ${last.instances.map(({ host, name }) => `${name ?? ''}@${host}`).join(' ')}`;
};
const awaited = (expected: string) => vi.waitFor(() => expect(shown()).toBe(expected), { timeout: 5_000 });

describe('ec2tag', () => {
  const item = (id: string, ip?: string): string =>
    `<item><instanceId>${id}</instanceId>${ip === undefined ? '' : `<privateIpAddress>${ip}</privateIpAddress>`}<privateDnsName>${id}.internal</privateDnsName></item>`;
  const page = (items: string, next = ''): { body: string } => ({
    body: `<?xml version="1.0"?><DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><reservationSet><item><instancesSet>${items}</instancesSet></item></reservationSet>${next && `<nextToken>${next}</nextToken>`}</DescribeInstancesResponse>`,
  });
  const discovery = { method: 'ec2tag', tag_name: 'role', tag_value: 'web', check_interval: 0.05 };

  it('asks for running instances with the tag, page by page, with the keys of the usual chain', async () => {
    answer = (query) =>
      query.get('NextToken') === 'two'
        ? page(item('i-2', '10.0.0.2'))
        : page(item('i-1', '10.0.0.1') + item('i-0'), 'two');
    watch(discovery);
    await awaited('live i-1.internal@10.0.0.1 i-2.internal@10.0.0.2');
    expect(snapshots.at(-1)).toMatchObject({
      problems: [{ path: 'i-0', reason: 'it has no private address' }],
    });
    const [first, second] = seen;
    expect(Object.fromEntries(first?.query ?? [])).toMatchObject({
      ...{ Action: 'DescribeInstances', MaxResults: '1000' },
      ...{ 'Filter.1.Name': 'tag:role', 'Filter.1.Value.1': 'web' },
      ...{ 'Filter.2.Name': 'instance-state-name', 'Filter.2.Value.1': 'running' },
    });
    expect(second?.query.get('NextToken')).toBe('two');
    expect(first?.authorization).toMatch(/Credential=of-the-chain\/\d+\/eu-west-1\/ec2\//);
  });

  it('takes region and keys of its block before those', async () => {
    answer = () => page(item('i-1', '10.0.0.1'));
    const own = { aws_region: 'us-east-2', aws_access_key_id: 'of-the-block', aws_secret_access_key: 's' };
    watch({ ...discovery, ...own });
    await awaited('live i-1.internal@10.0.0.1');
    expect(seen[0]?.authorization).toMatch(/Credential=of-the-block\/\d+\/us-east-2\/ec2\//);
  });

  const refused = (code: string, message = 'no') => ({
    status: code === 'RequestLimitExceeded' ? 503 : 403,
    body: `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>${Math.random()}</RequestID></Response>`,
  });
  const secret = () => `no Encoded authorization failure message: ${Math.random()}`;

  it.each<[string, () => ReturnType<Answer>, RegExp]>([
    ['refuses', () => refused('UnauthorizedOperation', secret()), /^UnauthorizedOperation: no$/],
    ['says nonsense', () => ({ body: 'nonsense' }), /./],
    ['breaks off', () => 'cut', /./],
    ['has the same next page for ever', () => page(item('i-9', '10.0.0.9'), 'again'), /same next page/],
    ['has pages without end', () => page('', String(Math.random())), /more than 200 pages/],
    ['has too many', () => page(item('i', '10.0.0.9').repeat(10_001)), /more than 10000 instances/],
  ])('keeps what it knew as stale when EC2 %s, and tells each reason once', async (_, bad, reason) => {
    answer = () => page(item('i-1', '10.0.0.1'));
    watch(discovery);
    await awaited('live i-1.internal@10.0.0.1');
    answer = bad;
    await awaited('stale i-1.internal@10.0.0.1');
    expect(snapshots.at(-1)).toMatchObject({
      problems: [{ path: 'EC2 instances with role=web', reason: expect.stringMatching(reason) as string }],
    });
    const asked = seen.length;
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(asked), { timeout: 5_000 });
    expect(logger.records.filter(({ level }) => level === 'warn')).toHaveLength(1);
    answer = () => page('');
    await awaited('live ');
  });

  it('goes on when it was throttled, and is stale while that lasts', async () => {
    answer = () => (seen.length < 2 ? refused('RequestLimitExceeded') : page(item('i-1', '10.0.0.1')));
    watch(discovery);
    await awaited('live i-1.internal@10.0.0.1');
    expect(snapshots.filter(({ status }) => status === 'stale')).toEqual([]);
    expect(logger.records).toEqual([]);
    answer = () => refused('RequestLimitExceeded');
    await awaited('stale i-1.internal@10.0.0.1');
  });

  it('gives up a question that is not answered, and is stale', async () => {
    const clock = new FakeClock();
    answer = () => page(item('i-1', '10.0.0.1'));
    watch({ ...discovery, check_interval: 10 }, clock);
    await awaited('live i-1.internal@10.0.0.1');
    answer = () => 'hang';
    await clock.advance(11_000);
    await vi.waitFor(() => expect(seen).toHaveLength(2), { timeout: 5_000 });
    await clock.advance(30_000);
    await awaited('stale i-1.internal@10.0.0.1');
    expect(snapshots.at(-1)).toMatchObject({ problems: [{ reason: 'no answer within 30 s' }] });
  });

  it('asks every 15 s unless it is told otherwise, as Ruby does, give or take a tenth', async () => {
    const clock = new FakeClock();
    answer = () => page(item('i-1', '10.0.0.1'));
    watch({ method: 'ec2tag', tag_name: 'role', tag_value: 'web' }, clock);
    await awaited('live i-1.internal@10.0.0.1');
    await clock.advance(13_499);
    expect(seen).toHaveLength(1);
    await clock.advance(3_001);
    await vi.waitFor(() => expect(seen).toHaveLength(2), { timeout: 5_000 });
  });

  it('says that it has no keys, and nothing of instances', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined);
    answer = () => page(item('i-1', '10.0.0.1'));
    watch(discovery);
    await vi.waitFor(
      () =>
        expect(logger.records[0]?.fields.reason).toMatch(
          /^CredentialsProviderError: Could not load credentials/,
        ),
      { timeout: 5_000 },
    );
    expect(snapshots).toEqual([]);
    expect(seen).toEqual([]);
  });
});

describe('s3_toggle', () => {
  const toggle = {
    method: 'multi',
    watchers: { primary: { method: 'base' }, other: { method: 'base' } },
    resolver: {
      method: 's3_toggle',
      s3_url: 's3://bucket/a/weights.yaml',
      s3_polling_interval_seconds: 0.05,
    },
  };
  const used = () =>
    snapshots
      .at(-1)
      ?.parts?.filter((part) => part.used)
      .map(({ name }) => name);
  const chosen = (name: string) => vi.waitFor(() => expect(used()).toEqual([name]), { timeout: 5_000 });

  it('follows the object, and keeps its choice while that is gone, bad or too large', async () => {
    answer = () => ({ body: 'other: 1\nprimary: 0\n' });
    watch(toggle);
    await chosen('other');
    expect(seen[0]?.path).toMatch(/^\/bucket\/a\/weights\.yaml/);
    for (const [bad, reason] of [
      [{ status: 404, body: '<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>' }, /gone/],
      [{ body: 'primary: many' }, /whole number/],
      [{ body: `primary: 1\n${'# filler\n'.repeat(10_000)}` }, /larger than 65536 bytes/],
    ] as const) {
      answer = () => bad;
      const problem = { path: 's3://bucket/a/weights.yaml', reason: expect.stringMatching(reason) as string };
      await vi.waitFor(() => expect(snapshots.at(-1)).toMatchObject({ problems: [problem] }), {
        timeout: 5_000,
      });
      expect(used()).toEqual(['other']);
    }
    // As Ruby's synapse counts it.
    expect(weightsFailed).toHaveBeenCalledWith('s3_error');
    expect(weightsFailed).toHaveBeenCalledWith('invalid_schema');
    answer = () => ({ body: 'other: 0\nprimary: 1\n' });
    await chosen('primary');
    expect(resolverSwitched).toHaveBeenCalledWith('s3_toggle', { failed: 'nil_weights' });
    expect(resolverSwitched).toHaveBeenCalledWith('s3_toggle', { watcher: 'primary' });
    await vi.waitFor(() => expect(resolverSwitched).toHaveBeenLastCalledWith('s3_toggle', 'skip'), {
      timeout: 5_000,
    });
    expect(snapshots.at(-1)).not.toHaveProperty('problems');
  });
});

describe('optionalLibrary', () => {
  it('says how to install what is missing', () => {
    const none = '@aws-sdk/client-none';
    const load = (): Promise<unknown> => import(none);
    return expect(optionalLibrary(none, load)).rejects.toThrow(
      '@aws-sdk/client-none is not installed, which is optional: run npm install @aws-sdk/client-none where',
    );
  });
});
