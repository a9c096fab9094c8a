import { AgentError } from '@smartstack/agent';
import { ApiError } from '@smartstack/agent/apiClient';
import { FakeClock } from '@smartstack/agent/testing';
import { ZooKeeperError, type ZkPath, type ZkSession } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';

import type { Loaded } from '../allFiles.js';
import { Facts } from './facts.js';
import { ownPoints } from './points/index.js';
import { findingLines, reportJson, totalLine } from './report.js';
import { examineAll, type Finding } from './run.js';
import { placeToWrite, probeEnsemble } from './writeProbe.js';
import { readRegistry } from './znodes.js';

const nothing = { configuration: undefined, settings: undefined, issues: [], fatal: [] } as Loaded;

function factsOf(call: (path: string) => Promise<unknown>, clock = new FakeClock()): Facts {
  return new Facts({
    load: () => Promise.resolve(nothing),
    generators: new Map(),
    openSession: () => {
      throw new Error('nobody needs a session');
    },
    ...{ call, clock, mayWrite: false },
  });
}

const outcomes = (findings: readonly Finding[]): Readonly<Record<string, string>> =>
  Object.fromEntries(findings.map(({ id, outcome }) => [id, outcome]));

describe('the points', () => {
  it('have an id each, which begins with their group', () => {
    const ids = ownPoints.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { id, group } of ownPoints) expect(id).toMatch(new RegExp(`^${group}-[a-z-]+$`));
  });

  it('say what cannot be known without an agent, and without a configuration', async () => {
    const told: string[] = [];
    const facts = factsOf(() => Promise.reject(new ApiError('unreachable', 'nobody there')));
    const findings = await examineAll(facts, false, ({ id }) => told.push(id));
    expect(told).toEqual(findings.map(({ id }) => id));
    const of = outcomes(findings);
    expect(of['convergence-agent']).toBe('failed');
    expect(of['convergence-plan']).toBe('unknown');
    expect(of['zookeeper-session']).toBe('unknown');
    expect(Object.values(of).filter((outcome) => outcome === 'failed')).toHaveLength(1);
  });

  it('fail in time where an agent never answers, or answers as none does', async () => {
    const clock = new FakeClock();
    const hung = examineAll(
      factsOf(() => new Promise(() => undefined), clock),
      false,
      () => undefined,
    );
    await clock.advance(40_000);
    const of = outcomes(await hung);
    expect(of['convergence-plan']).toBe('failed');
    const odd = await examineAll(
      factsOf(() => Promise.resolve({ generators: 'none' })),
      false,
      () => undefined,
    );
    const plan = odd.find(({ id }) => id === 'convergence-plan');
    expect(plan).toMatchObject({ outcome: 'failed', details: [expect.stringContaining('another version?')] });
  });

  it.each([
    [{ readers: 0, haproxy: 0 }, undefined, 'passed', '1 of 2 services; nobody looks now'],
    [{ readers: 2, haproxy: 7 }, undefined, 'passed', /; 2 look now; .*: 7 for which HAProxy had no room$/],
    [{ readers: 1, haproxy: 0 }, 'its `log` has requests logged', 'warning', undefined],
  ])('tell of the tap: %j, api: %s', async ({ readers, haproxy }, reason, outcome, summary) => {
    const status = { readers, lines: 9, dropped: { haproxy, rate: 5, reader: 0 } };
    const db = { service: 'db', reason: 'it is in mode tcp', isMeant: true };
    const answers: Readonly<Record<string, unknown>> = {
      '/status': { version: '1', generators: [{ generator: 'haproxy', details: { tap: status } }] },
      '/v1/tap/services': { services: [{ service: 'api', ...(reason && { reason }) }, db] },
    };
    const facts = factsOf((path) => Promise.resolve(answers[path] ?? {}));
    const point = ownPoints.find(({ id }) => id === 'observability-tap')!;
    const result = await point.examine(facts, new AbortController().signal);
    expect(result.outcome).toBe(outcome);
    if (summary) expect(result.summary).toMatch(summary);
    expect(result.details).toEqual(reason && [`api: ${reason}`]);
  });

  it('show a bug instead of hiding it', async () => {
    const facts = factsOf(() => Promise.reject(new TypeError('a bug')));
    await expect(examineAll(facts, false, () => undefined)).rejects.toThrow('a bug');
  });
});

describe('the report', () => {
  const bad: Finding = {
    ...{ id: 'haproxy-admin', group: 'haproxy', title: 'it answers', outcome: 'failed' },
    ...{ details: ['a\x1b[2J line'], hint: 'do this' },
  };
  const fine: Finding = { id: 'a-b', group: 'config', title: 'fine', outcome: 'passed', summary: '3' };

  it('is plain unless a terminal reads it, and lets nothing through that moves a cursor', () => {
    const plain = { isColoured: false, width: undefined };
    expect(findingLines(bad, plain)).toEqual([
      '× it answers',
      '    a [2J line',
      '    hint: do this',
      '    see docs/operations.md#haproxy-admin',
    ]);
    expect(findingLines(fine, plain)).toEqual(['√ fine: 3']);
    expect(findingLines(fine, { isColoured: true, width: 80 })).toEqual(['\x1b[32m√\x1b[0m fine: 3']);
  });

  it('counts, and says for programs what is wrong and where to read on', () => {
    const doubtful: Finding = { ...bad, outcome: 'warning' };
    const open: Finding = { ...fine, outcome: 'unknown' };
    expect(totalLine([fine, doubtful])).toBe('Status check results are √: 1 passed, 1 warning');
    expect(totalLine([bad, open])).toBe('Status check results are ×: 0 passed, 1 failed, 1 not known');
    expect(JSON.parse(reportJson([doubtful, fine]))).toMatchObject({ ok: true });
    const { ok, points } = JSON.parse(reportJson([bad])) as { ok: boolean; points: readonly unknown[] };
    expect(ok).toBe(false);
    expect(points).toEqual([
      expect.objectContaining({
        outcome: 'failed',
        hint: 'do this',
        docs: 'docs/operations.md#haproxy-admin',
      }),
    ]);
  });
});

describe('the znode that --write creates', () => {
  it.each<[ZkPath[], ZkPath]>([
    [['/nerve/services/web'], '/nerve/services'],
    [['/web'], '/'],
    // A znode there would be a bad registration of `all`.
    [['/s/all/web', '/s/all'], '/s'],
    [[], '/'],
  ])('for %j lies below %s', (paths, place) => {
    expect(placeToWrite(paths.map((path) => ({ path })))).toBe(place);
  });

  it('tells how far the server is ahead, or why there was none', async () => {
    const clock = new FakeClock();
    const session = {
      create: async () => clock.advance(40),
      getData: () => Promise.resolve({ stat: { ctime: clock.now() + 5_000, version: 0 } }),
      delete: () => Promise.resolve(),
    } as unknown as ZkSession;
    const probe = (ensemble: object) => probeEnsemble({ hosts: ['zk:1'], ...ensemble }, [], clock);
    expect(await probe({ session })).toMatchObject({ path: '/', skewMs: 5_020 });
    const error = new ZooKeeperError('NoAuth', 'not permitted', { op: 'create' });
    const refusing = { create: () => Promise.reject(error) } as unknown as ZkSession;
    expect(await probe({ session: refusing })).toMatchObject({ path: '/', error });
    expect(await probe({})).toBeUndefined();
  });
});

it('an ensemble that is unusable is an expected failure', async () => {
  const discovery = { method: 'zookeeper', hosts: ['zk:1:2:3'], path: '/s/web' } as const;
  const services = new Map([['web', { name: 'web', discovery, rules: {}, copies: undefined }]]) as never;
  const settings = { zookeeper: { sessionTimeoutMs: 1_000, auth: [] } };
  const openSession = () => ({}) as ZkSession;
  await expect(
    readRegistry({ services, settings, openSession, clock: new FakeClock() }),
  ).rejects.toBeInstanceOf(AgentError);
});
