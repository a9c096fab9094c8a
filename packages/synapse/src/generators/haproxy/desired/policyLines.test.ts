import { describe, expect, it } from 'vitest';
import { readServiceBlock } from '../block/blocks.js';
import { aView, desire, instance } from '../testing/desire.js';
import { render } from './render.js';
import { policyLines, withPolicyLines } from './policyLines.js';

const linesOf = (policy: unknown, http = true): ReturnType<typeof policyLines> => {
  const { config, issues } = readServiceBlock({ policy, server_options: 'check' });
  expect(issues).toEqual([]);
  return policyLines(config!.policy!, http);
};

const problems = (block: unknown): readonly string[] =>
  readServiceBlock(block).issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('the lines of a policy', () => {
  it('are none without one', () => {
    expect(linesOf({}).lines).toEqual([]);
  });

  it('are those that a person would write', () => {
    const policy = {
      timeouts: { connect: '500ms', queue: '1s', server: '5s' },
      retries: { attempts: 2, budget: false },
      circuit_breaker: { errors: 5 },
    };
    expect(linesOf(policy).lines).toEqual([
      'timeout connect 500ms',
      'timeout queue 1s',
      'timeout server 5s',
      'retries 2',
      'option redispatch 1',
      'retry-on conn-failure empty-response 503',
      'http-request disable-l7-retry unless { method GET HEAD OPTIONS }',
      'default-server observe layer7 error-limit 5 on-error mark-down',
    ]);
  });

  it('let nothing go twice but what is declared', () => {
    const one = { retries: { budget: false, idempotent: [{ methods: ['GET'], path: '/api/' }] } };
    expect(linesOf(one).lines.at(-1)).toBe(
      'http-request disable-l7-retry if !{ method GET } or !{ path_beg /api/ }',
    );
    const two = { retries: { idempotent: [{ methods: ['GET'] }, { methods: ['PUT'], path: '/items/' }] } };
    expect(linesOf(two).lines.slice(-3)).toEqual([
      'http-request set-var(txn.synapse_idempotent) bool(true) if { method GET }',
      'http-request set-var(txn.synapse_idempotent) bool(true) if { method PUT } { path_beg /items/ }',
      'http-request disable-l7-retry unless { var(txn.synapse_idempotent) -m bool }',
    ]);
  });

  it('have a budget unless told otherwise, which stands beside them', () => {
    expect(linesOf({ retries: {} }).lines).toEqual([
      'retries 1 # budget 20% and 10/s',
      'option redispatch 1',
      'retry-on conn-failure empty-response 503',
      'http-request set-var(txn.synapse_idempotent) bool(true) if { method GET HEAD OPTIONS }',
      'http-request disable-l7-retry unless { var(txn.synapse_idempotent) -m bool }',
    ]);
    const budget = { ratio: 0.07, min_per_second: 3 };
    expect(linesOf({ retries: { budget } }).lines[0]).toBe('retries 1 # budget 7% and 3/s');
  });

  it('are timeouts alone in mode tcp, which is said', () => {
    const policy = { timeouts: { server: '5s' }, retries: {}, circuit_breaker: {} };
    expect(linesOf(policy, false)).toEqual({
      lines: ['timeout server 5s'],
      warnings: ['policy: retries and circuit_breaker need `mode http`: left out'],
    });
  });

  it('stand behind the mode and before what ends the rules', () => {
    expect(withPolicyLines(['mode http', 'use-server a if x', 'balance first'], ['retries 1'])).toEqual([
      ...['mode http', 'retries 1', 'use-server a if x', 'balance first'],
    ]);
    expect(withPolicyLines(['use-server a if x', 'mode http'], ['retries 1']).at(-1)).toBe('retries 1');
  });

  it('come with whatever keywords are accepted, in the backend alone', () => {
    const view = aView([instance(1)], { port: 80, listen: ['mode http'], policy: { retries: {} } });
    const text = render(desire([view]).desired);
    expect(text.match(/disable-l7-retry unless/g)).toHaveLength(1);
  });
});

describe('a policy with a mistake', () => {
  it('is refused with its place and what may stand there', () => {
    expect(problems({ policy: { retries: { on: ['503', 'always'] } } })).toEqual([
      expect.stringMatching(/^policy\.retries\.on\.1: must be one of conn-failure, /),
    ]);
    expect(problems({ policy: { retries: { attempts: 11 } } })).toHaveLength(1);
    expect(problems({ policy: { timeouts: { server: 'soon' } } })).toEqual([
      'policy.timeouts.server: must be a duration such as 500ms, 10s, 5m or 1h',
    ]);
    const path = '/x } or TRUE {';
    expect(problems({ policy: { retries: { idempotent: [{ path }] } } })).toEqual([
      expect.stringMatching(/^policy\.retries\.idempotent\.0\.path: must begin with/),
    ]);
    const budget = (wrong: unknown) => problems({ policy: { retries: { budget: wrong } } });
    for (const ratio of [1.5, -0.1, 0.125])
      expect(budget({ ratio })).toEqual([
        'policy.retries.budget.ratio: must be a number from 0 to 1, with two decimals at most',
      ]);
    expect(budget({ min_per_second: 0 })).toEqual([
      expect.stringMatching(/^policy\.retries\.budget\.min_per_second: must be /),
    ]);
    expect(budget({ ttl: '10s' })).toEqual([expect.stringMatching(/^policy\.retries\.budget: .*ttl/)]);
    for (const wrong of [true, '20%', { ratio: '20%' }])
      expect(budget(wrong)).toEqual([
        'policy.retries.budget: must be false, or hold `ratio` (a number from 0 to 1) and `min_per_second` (1 or more)',
      ]);
    expect(problems({ policy: { timeout: {} } })).toEqual([expect.stringMatching(/^policy: .*timeout/)]);
  });

  it('is warned of where the breaker cannot work', () => {
    expect(problems({ policy: { circuit_breaker: {} } })).toEqual([
      expect.stringMatching(/^policy\.circuit_breaker: does nothing without `check`/),
    ]);
  });
});

describe('balance: latency', () => {
  it('writes roundrobin, and weights with room for smaller ones', () => {
    const haproxy = { port: 80, listen: ['mode http'], backend: ['balance roundrobin'], balance: 'latency' };
    const text = render(desire([aView([instance(1), instance(2)], haproxy)]).desired);
    expect(text.split('\nbackend web\n')[1]?.match(/balance.*/g)).toEqual([
      'balance roundrobin # by latency',
    ]);
    expect(text.match(/weight 256/g)).toHaveLength(2);
  });

  it('is refused beside another balancing, and warned of in mode tcp', () => {
    expect(problems({ balance: 'latency', listen: ['mode http', 'balance leastconn'] })).toEqual([
      expect.stringMatching(/^listen\.1: `balance: latency` steers/),
    ]);
    expect(problems({ balance: 'leastconn' })).toEqual([
      expect.stringMatching(/^balance: must be `latency`/),
    ]);
    const haproxy = { port: 80, listen: ['mode tcp'], balance: 'latency' };
    const { issues } = desire([aView([instance(1)], haproxy)]);
    expect(issues.map(({ reason }) => reason)).toContain(
      'balance: latency needs `mode http`: it balances as without it',
    );
  });
});
