import type { ChildResult, Instance, Stat } from '@smartstack/registry';
import { describe, expect, it, vi } from 'vitest';

import { ChildReader } from './childReader.js';

const data = (text: string, mzxid = 1n): ChildResult => ({
  kind: 'data',
  data: Buffer.from(text),
  stat: { mzxid } as Stat,
});
const denied: ChildResult = { kind: 'error', error: new Error('NoAuth') };

function decoder() {
  return vi.fn((name: string, raw: Buffer | undefined): Instance => {
    if (raw !== undefined) return JSON.parse(raw.toString()) as Instance;
    if (name.startsWith('encoded')) return { host: name, port: 1 };
    throw new Error('its name holds no instance');
  });
}

describe('ChildReader', () => {
  it('keeps the order of the children and skips the bad ones', () => {
    const reader = new ChildReader(decoder());
    const { instances, newlyBad } = reader.read(
      new Map([
        ['z', data('{"host":"z","port":1}')],
        ['bad', data('not json')],
        ['encoded', { kind: 'skipped' }],
        ['secret', denied],
        ['a', data('{"host":"a","port":1}')],
      ]),
    );
    expect(instances.map(({ host }) => host)).toEqual(['z', 'encoded', 'a']);
    expect(newlyBad.map(({ name, kept }) => ({ name, kept }))).toEqual([
      { name: 'bad', kept: false },
      { name: 'secret', kept: false },
    ]);
  });

  it('reports a bad child once, and again when it is bad in another way', () => {
    const reader = new ChildReader(decoder());
    const read = (child: ChildResult) => reader.read(new Map([['x', child]])).newlyBad.length;
    expect([read(denied), read(denied), read(data('{'))]).toEqual([1, 0, 1]);
    expect(reader.read(new Map()).newlyBad).toEqual([]);
    expect(read(data('{'))).toBe(1);
  });

  it('keeps the last good instance of a child that turned bad, until it goes', () => {
    const reader = new ChildReader(decoder());
    reader.read(new Map([['x', data('{"host":"x","port":1}')]]));
    const bad = reader.read(new Map([['x', data('garbage', 2n)]]));
    expect(bad.instances).toEqual([{ host: 'x', port: 1 }]);
    expect(bad.newlyBad[0]).toMatchObject({ name: 'x', kept: true });
    expect(reader.read(new Map()).instances).toEqual([]);
  });

  it('takes new data after bad ones', () => {
    const reader = new ChildReader(decoder());
    reader.read(new Map([['x', data('{"host":"x","port":1}', 1n)]]));
    reader.read(new Map([['x', data('garbage', 2n)]]));
    const { instances } = reader.read(new Map([['x', data('{"host":"x","port":2}', 3n)]]));
    expect(instances).toEqual([{ host: 'x', port: 2 }]);
  });

  it('decodes each version of a child once', () => {
    const counted = decoder();
    const reader = new ChildReader(counted);
    const children = new Map<string, ChildResult>([
      ['x', data('{"host":"x","port":1}')],
      ['encoded', { kind: 'skipped' }],
    ]);
    reader.read(children);
    reader.read(children);
    expect(counted).toHaveBeenCalledTimes(2);
  });

  it('knows which names need no data', () => {
    const counted = decoder();
    const reader = new ChildReader(counted);
    expect([reader.namesAll('encoded'), reader.namesAll('plain')]).toEqual([true, false]);
    reader.read(
      new Map([
        ['encoded', { kind: 'skipped' }],
        ['plain', data('{"host":"h","port":1}')],
      ]),
    );
    counted.mockClear();
    expect([reader.namesAll('encoded'), reader.namesAll('plain')]).toEqual([true, false]);
    expect(counted).not.toHaveBeenCalled();
  });
});
