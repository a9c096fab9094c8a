import { nerveCodec, nodeNameFor, serversetCodec } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';
import { leftBehind } from './leftBehind.js';

const ours = { host: '10.0.0.5', port: 8080, name: 'i-0abc' };
const { name, data } = leftBehind({ service: 'web', instanceId: 'i-0abc', host: '10.0.0.5', port: 8080 });
const encoded = (instance: typeof ours): string =>
  nodeNameFor(instance.name, nerveCodec.encode(instance), { pathEncoding: true });

describe('leftBehind', () => {
  it('knows the names of all node types, with the data in them or not', () => {
    const prefixes = ['i-0abc_', encoded(ours), encoded({ ...ours, weight: 7 } as typeof ours)];
    for (const prefix of prefixes)
      for (const sequence of ['', '0000000012', '-2147483647']) expect(name(prefix + sequence)).toBe(true);
  });

  it.each([
    'i-0abc',
    'i-0abcd_0000000001',
    'i-0abc_1_0000000001',
    'i-0abc_000000001',
    'i-0ab_0000000001',
    '',
    'base64_4_????_0000000001',
    encoded({ ...ours, name: 'i-0abd' }),
    encoded({ ...ours, host: '10.0.0.6' }),
    encoded({ ...ours, port: 8081 }),
  ])('leaves %s alone', (child) => {
    expect(name(child)).toBe(false);
  });

  it('reads the format that it writes, and that of before', () => {
    const registrant = { service: 'web', instanceId: 'i-0abc', host: '10.0.0.5', port: 8080 };
    const { data: isOurs } = leftBehind(registrant, serversetCodec('http'));
    for (const codec of [serversetCodec('http'), nerveCodec]) {
      expect(isOurs(codec.encode(ours))).toBe(true);
      expect(isOurs(codec.encode({ ...ours, port: 8081 }))).toBe(false);
    }
    expect(isOurs(serversetCodec('http').encode({ ...ours, name: '7' }))).toBe(false);
  });

  it('believes no name whose data are another instance’s, or nobody’s', () => {
    expect(data(nerveCodec.encode({ ...ours, weight: 3 }))).toBe(true);
    for (const other of [{ host: '10.0.0.6' }, { port: 8081 }, { name: 'i-0abd' }])
      expect(data(nerveCodec.encode({ ...ours, ...other }))).toBe(false);
    for (const text of ['', 'null', '{}', '{"host":"10.0.0.5"}']) expect(data(Buffer.from(text))).toBe(false);
  });
});
