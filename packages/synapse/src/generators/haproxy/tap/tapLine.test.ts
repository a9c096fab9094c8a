import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTapLine } from './tapLine.js';
import { TapLosses } from './tapLosses.js';

/** As HAProxy's `json(utf8s)` does. */
const escaped = (text: string): string => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/');
const line = (
  path: string,
  more: Partial<Record<'status' | 'ts' | 'rc' | 'answer', string>> = {},
): string => {
  const { status = '200', ts = '--', rc = '0', answer = '1000500' } = more;
  return `tap1 77 5 1002000 web web-near srv1 10.0.0.9 4711 ${status} 106 ${rc} ${ts} ${answer} 1000000 GET ${escaped(path)}`;
};

describe('a line of the ring', () => {
  it('says what a request was', () => {
    expect(parseTapLine(line('/a'))).toEqual({
      ...{ pid: 77, count: 5, frontend: 'web' },
      request: {
        ...{ type: 'request', at: 1002, server: 'srv1', source: '10.0.0.9', sourcePort: 4711 },
        ...{ method: 'GET', path: '/a', status: 200, bytes: 106, latency: 0.0005, duration: 0.002 },
        ...{ retries: 0, redispatched: false, termination: '--', outcome: 'success' },
      },
    });
  });

  it('gives back any path', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const path = `/${text.replaceAll('\n', '')}`;
        expect(parseTapLine(line(path))?.request.path).toBe(path);
      }),
    );
  });

  it('is read although it was cut off anywhere in the path', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, cut) => {
        const path = `/${text.replaceAll('\n', '')}`;
        const whole = line(path);
        const start = whole.length - escaped(path).length;
        const read = parseTapLine(whole.slice(0, start + (cut % (whole.length - start + 1))))?.request.path;
        expect(path.startsWith(read ?? 'none')).toBe(true);
      }),
    );
  });

  it('never throws, and is none when it is not ours', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseTapLine(text)));
    fc.assert(fc.property(fc.string(), (text) => void parseTapLine(`tap1 ${text}`)));
    for (const text of [
      '',
      '3 events dropped',
      'tap1 1 2 3',
      line('/').replace('tap1', 'tap2'),
      line('/').replace(' 200 ', ' x '),
    ])
      expect(parseTapLine(text)).toBeUndefined();
  });

  it.each([
    [{ status: '503' }, { outcome: 'failure' }],
    [
      { status: '-1', ts: 'SC' },
      { outcome: 'failure', termination: 'SC' },
    ],
    [{ status: '200', ts: 'CD' }, { outcome: 'aborted' }],
    [{ rc: '+2' }, { retries: 2, redispatched: true }],
    [{ answer: '-' }, { latency: null, duration: 0.002 }],
    [{ answer: '999000' }, { latency: 0 }],
  ])('%j', (more, expected) => expect(parseTapLine(line('/', more))?.request).toMatchObject(expected));

  it('tells of a request that HAProxy could not read, too', () => {
    const refused = 'tap1 77 5 1002000 web web <NOSRV> ::1 1 400 0 0 PR - -';
    expect(parseTapLine(refused)?.request).toMatchObject({
      ...{
        server: null,
        source: '::1',
        method: null,
        path: null,
        latency: null,
        duration: null,
        status: 400,
      },
    });
  });
});

describe('lines that are lost', () => {
  it('are as many as lack at two looks, whatever the order of those that came', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 2, maxLength: 60 }), (came) => {
        const losses = new TapLosses();
        const counts = came.flatMap((did, count) =>
          did || count === 0 || count === came.length - 1 ? [count] : [],
        );
        for (const count of counts) losses.note({ frontend: 'web', count });
        expect(losses.look().size).toBe(0);
        const lost = came.length - counts.length;
        expect([...losses.look()]).toEqual(lost === 0 ? [] : [['web', lost]]);
        expect(losses.look().size).toBe(0);
      }),
    );
  });

  it('are none where two threads number lines alike, or one comes late', () => {
    const losses = new TapLosses();
    for (const count of [7, 7, 10, 8]) losses.note({ frontend: 'web', count });
    losses.look();
    losses.note({ frontend: 'web', count: 9 });
    expect(losses.look().size).toBe(0);
    expect(losses.look().size).toBe(0);
  });
});
