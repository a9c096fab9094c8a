import { describe, expect, it } from 'vitest';

import { nextPosition } from './blocking.js';
import { readHealth } from './health.js';

describe('a blocking query', () => {
  it.each([
    ['moves on', 5n, '7', 10_000, { index: 7n, pauseMs: 0 }],
    ['is not asked again at once after quick changes', 5n, '7', 20, { index: 7n, pauseMs: 80 }],
    ['may end without a change', 5n, '5', 60_000, { index: 5n, pauseMs: 0 }],
    ['that does not wait is slowed down', 5n, '5', 10, { index: 5n, pauseMs: 990 }],
    ['begins anew when the index goes backwards', 5n, '4', 10_000, { index: 0n, pauseMs: 0 }],
    ['never waits from nothing', 0n, '0', 500, { index: 1n, pauseMs: 0 }],
    ['without an index is a plain question', 5n, undefined, 10, { index: 0n, pauseMs: 5_000 }],
    ['with nonsense for an index is one, too', 5n, 'x', 10, { index: 0n, pauseMs: 5_000 }],
    ['takes 64 bits', 5n, '18446744073709551615', 500, { index: 18446744073709551615n, pauseMs: 0 }],
  ])('%s', (_, before, header, tookMs, expected) =>
    expect(nextPosition(before, header, tookMs)).toEqual(expected),
  );
});

describe('an answer about health', () => {
  const entry = (service: object, node: object = {}) => ({
    Node: { Node: 'n1', Address: '10.0.0.1', Datacenter: 'dc1', ...node },
    Service: { ID: 'web-1', Service: 'web', Address: '', Port: 80, Tags: [], Meta: {}, ...service },
  });

  it('gives instances at the address of the service, or of its node, with labels and weights', () => {
    const { instances, problems } = readHealth(
      [
        entry({ Weights: { Passing: 1, Warning: 1 } }),
        entry({
          ...{ ID: 'web-0', Address: '10.0.0.0', Port: 81, Weights: { Passing: 512, Warning: 1 } },
          ...{ Tags: ['v2', 7], Meta: { az: 'a' } },
        }),
      ],
      'consul web',
    );
    const place = { consul_node: 'n1', consul_datacenter: 'dc1' };
    expect(instances).toEqual([
      {
        ...{ host: '10.0.0.0', port: 81, name: 'web-0', weight: 256 },
        labels: { az: 'a', 'tag:v2': true, ...place },
      },
      { host: '10.0.0.1', port: 80, name: 'web-1', weight: 1, labels: place },
    ]);
    expect(problems).toEqual([]);
  });

  it('leaves out what is no instance, and tells of it', () => {
    const { instances, problems } = readHealth(
      [null, 7, {}, entry({ ID: 'x', Port: 0 }), entry({ Port: 82, Meta: null, Tags: null, Weights: 'no' })],
      'consul web',
    );
    expect(instances.map(({ port, weight }) => [port, weight])).toEqual([[82, 1]]);
    expect(problems?.map(({ path }) => path)).toEqual([
      'consul web/0',
      'consul web/1',
      'consul web/2',
      'consul web/x',
    ]);
  });

  it.each([undefined, null, {}, 'text'])('that is %j is none', (value) =>
    expect(() => readHealth(value, 'consul web')).toThrow('Not a list'),
  );
});
