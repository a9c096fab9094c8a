import { describe, expect, it } from 'vitest';
import { latencyBounds, latencyBuckets } from '../../traffic/latency.js';
import { decodeNumbers, encodeNumbers, type HostNumbers, maxAnswerBytes } from './answer.js';

const numbers: HostNumbers = {
  instanceId: 'vm-1',
  edges: [{ source: 'web', destination: 'orders', identity: 'unit' }],
  services: new Map([
    [
      'orders',
      {
        ...{ service: 'orders', seconds: 60, requests: 10, success: 9, failure: 1 },
        latencies: latencyBounds.map((_, index) => index).concat(0),
      },
    ],
  ]),
  isCut: false,
};

describe('an answer', () => {
  it('is read as it was written', () => expect(decodeNumbers(encodeNumbers(numbers))).toEqual(numbers));

  it('has the busiest services where not all fit, and says so', () => {
    const services = new Map(
      Array.from({ length: 3_000 }, (_, index) => {
        const service = `${index}-${'x'.repeat(240)}`;
        const latencies = Array.from({ length: latencyBuckets }, () => 1_000_000_000);
        return [service, { service, seconds: 60, requests: index, success: 0, failure: 0, latencies }];
      }),
    );
    const edges = [...services.keys()].map((destination) => ({
      ...{ source: 'y'.repeat(256), destination, identity: 'user' as const },
    }));
    const body = encodeNumbers({ ...numbers, edges, services });
    expect(body.length).toBeLessThanOrEqual(maxAnswerBytes);
    const read = decodeNumbers(body)!;
    expect([read.isCut, [...read.services.values()][0]?.requests]).toEqual([true, 2_999]);
    expect(read.edges.length).toBeGreaterThanOrEqual(250);
  });

  it('leaves out what has a name that nobody takes, says so, and has the rest', () => {
    const long = 'x'.repeat(257);
    const more = [...numbers.services.values()].map((each) => ({ ...each, service: long }));
    const services = new Map([...numbers.services, [long, more[0]!]]);
    expect(decodeNumbers(encodeNumbers({ ...numbers, services }))).toEqual({ ...numbers, isCut: true });
    for (const edge of [{ source: long }, { destination: long }, { source: '' }]) {
      const edges = [...numbers.edges, { ...numbers.edges[0]!, ...edge }];
      expect(decodeNumbers(encodeNumbers({ ...numbers, edges }))).toEqual({ ...numbers, isCut: true });
    }
    const longest = [{ ...numbers.edges[0]!, source: 'x'.repeat(256) }];
    expect(decodeNumbers(encodeNumbers({ ...numbers, edges: longest }))).toEqual({
      ...numbers,
      edges: longest,
    });
  });

  it('leaves out who was not called, and is taken without buckets that are not ours', () => {
    const idle = { service: 'idle', seconds: 60, requests: 0, success: 0, failure: 0, latencies: null };
    const body = encodeNumbers({ ...numbers, services: new Map([...numbers.services, ['idle', idle]]) });
    expect([...decodeNumbers(body)!.services.keys()]).toEqual(['orders']);
    const other = Buffer.from(body.toString().replace('"bounds":[0.0005', '"bounds":[0.0006'));
    expect(decodeNumbers(other)?.services.get('orders')).toMatchObject({ requests: 10, latencies: null });
  });

  it.each([
    ['{"v":1}', 'nothing'],
    ['null', 'null'],
    ['{"v":1,"instance_id":"a","bounds":[],"edges":[["a"]],"services":[]}', 'half an edge'],
    [
      '{"v":1,"instance_id":"a","bounds":[],"edges":[],"services":[{"service":"a","seconds":1,"requests":-1,"success":0,"failure":0,"latencies":null}]}',
      'what cannot be',
    ],
    [
      '{"v":1,"instance_id":"a","bounds":[],"edges":[],"services":[{"service":"a","seconds":1,"requests":1e999,"success":0,"failure":0,"latencies":null}]}',
      'without end',
    ],
  ])('%s makes no sense: %s', (text) => expect(decodeNumbers(Buffer.from(text))).toBeUndefined());
});
