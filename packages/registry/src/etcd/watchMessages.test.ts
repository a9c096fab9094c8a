import { describe, expect, it } from 'vitest';
import { rangeOf, readRange, readWatch, watchFrom } from './watchMessages.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('messages of a watch', () => {
  it('ask for all keys of a prefix, and no others', () => {
    expect(rangeOf('/web/', 3)).toEqual({ key: base64('/web/'), range_end: base64('/web0'), limit: '3' });
    expect(watchFrom('/ü/', 2n ** 60n)).toEqual({
      create_request: {
        ...{ key: base64('/ü/'), range_end: base64('/ü0'), start_revision: '1152921504606846976' },
      },
    });
  });

  it('read what etcd leaves out as what it stands for', () => {
    expect(readRange({ header: { revision: '7' } })).toEqual({ revision: 7n, keys: [] });
    expect(readWatch({ result: { header: {}, created: true } })).toEqual({ kind: 'created' });
    const kv = { key: base64('/a'), mod_revision: '5', create_revision: '4' };
    expect(readWatch({ result: { events: [{ kv }, { type: 'DELETE', kv }] } })).toEqual({
      kind: 'changes',
      changes: [
        { key: '/a', put: { key: '/a', value: Buffer.alloc(0), modRevision: 5n, createRevision: 4n } },
        { key: '/a', put: undefined },
      ],
    });
  });

  it('tell why a watch ended', () => {
    expect(readWatch({ result: { canceled: true, created: true, compact_revision: '9' } })).toEqual({
      ...{ kind: 'ended', compacted: true, reason: 'compacted' },
    });
    expect(readWatch({ result: { canceled: true, cancel_reason: 'no\u001b[31m' } })).toMatchObject({
      ...{ compacted: false, reason: 'no?[31m' },
    });
    expect(() => readWatch({ error: { message: 'gone' } })).toThrow('gone');
  });

  it.each([undefined, null, [], 'text', {}, { result: { events: 1 } }, { result: { events: [{}] } }])(
    'are none of etcd when they are %j',
    (message) => expect(() => readWatch(message)).toThrow(),
  );
});
