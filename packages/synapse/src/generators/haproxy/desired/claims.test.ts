import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { overlap } from './bindLines.js';
import { Claims } from './claims.js';
import { aView, desire, instance } from '../testing/desire.js';

/** What the services are told that ask for these addresses, in this order. */
function asked(
  addresses: Readonly<Record<string, string>>,
  held: Readonly<Record<string, string>> = {},
  base: readonly string[] = [],
): readonly (string | undefined)[] {
  const claims = new Claims([{ title: 'listen stats', lines: base }], new Map(Object.entries(held)));
  return Object.entries(addresses).map(([service, address]) => claims.address(address, `service ${service}`));
}

describe('ports of several services', () => {
  it.each([
    ['127.0.0.1:3000-3010', '127.0.0.1:3005'],
    ['127.0.0.1:3005', '127.0.0.1:3000-3010'],
    ['127.0.0.1:3000-3010', '127.0.0.1:3010-3020'],
    ['127.0.0.1:3000-3100', '127.0.0.1:3050-3060'],
    ['0.0.0.0:1-65535', '*:80'],
    ['[::1]:1-9', '::1:9'],
    ['localhost:1-9', 'ipv4@127.0.0.1:9'],
  ])('clash where %s and %s have one in common', (a, b) => {
    expect(overlap(a, b)).toBe(true);
    expect(asked({ a, b })).toEqual([undefined, `service a (${a})`]);
  });

  it.each([
    ['127.0.0.1:3000-3010', '127.0.0.1:3011'],
    ['127.0.0.1:3000-3010', '127.0.0.2:3005'],
    ['127.0.0.1:3000-3010', '127.0.0.1:2990-2999'],
    ['/run/a-1', '/run/a-2'],
    ['/run/x:1-9', '/run/x:5'],
    ['127.0.0.1:10-1', '127.0.0.1:5'],
    ['127.0.0.1:5', '127.0.0.1:10-1'],
    ['abns@x:1-9', 'abns@x:5'],
  ])('do not clash where %s and %s have none', (a, b) => {
    expect(asked({ a, b })).toEqual([undefined, undefined]);
  });

  it('are his who had them, whoever asks first', () => {
    const range = '10.0.0.1:80-90';
    expect(asked({ a: '10.0.0.1:85', b: range }, { [range]: 'b' })).toEqual([
      `service b (${range})`,
      undefined,
    ]);
    expect(asked({ a: range, b: '10.0.0.1:85' }, { '10.0.0.1:85': 'b' })).toEqual([
      'service b (10.0.0.1:85)',
      undefined,
    ]);
    // From before clashes of this kind were known: one of the two goes on.
    expect(asked({ b: '10.0.0.1:85', a: range }, { '10.0.0.1:85': 'b', [range]: 'a' })).toEqual([
      undefined,
      'service b (10.0.0.1:85)',
    ]);
  });

  it('are not taken from sections of the operator', () => {
    expect(asked({ a: '10.0.0.1:85' }, {}, ['bind 10.0.0.1:80-90,10.0.0.1:85-99'])).toEqual([
      "section 'listen stats' (10.0.0.1:80-90)",
    ]);
    expect(asked({ a: '10.0.0.1:80-90' }, {}, ['bind 10.0.0.1:85'])).toEqual([
      "section 'listen stats' (10.0.0.1:85)",
    ]);
  });

  it('may overlap within one service', () => {
    const claims = new Claims([]);
    for (const address of ['h:1-9', 'h:5-20', 'h:30', 'h:1-40'])
      expect(claims.address(address, 'service a')).toBeUndefined();
    for (const address of ['h:35', 'h:1', 'h:40-50'])
      expect(claims.address(address, 'service b')).toBeDefined();
    expect(claims.address('h:41', 'service b')).toBeUndefined();
  });

  it('leave the later service without a frontend, and it is said of both', () => {
    const one = [instance(1)];
    const views = [
      aView(one, { port: '3000-3010' }, { name: 'wide' }),
      aView(one, { port: 3005 }, { name: 'narrow' }),
      aView(one, { port: 3005, bind_address: '127.0.0.9' }, { name: 'elsewhere' }),
    ];
    const { desired, issues } = desire(views);
    expect(issues.map(({ service, reason }) => `${service}: ${reason}`)).toEqual([
      'narrow: 127.0.0.1:3005 already belongs to service wide (localhost:3000-3010): the service gets no frontend',
    ]);
    expect(desired.services.map(({ frontend }) => frontend !== undefined)).toEqual([true, false, true]);
  });
});

/** Few hosts and ports, so that many clash. */
const address = fc
  .tuple(
    fc.constantFrom('127.0.0.1', 'localhost', '*', '[::]', '/x', '$H'),
    fc.nat(30),
    fc.option(fc.nat(30)),
  )
  .map(([host, first, last]) => `${host}:${first}${last === null ? '' : `-${last}`}`);

it('what is granted never overlaps, and what is refused overlaps what was granted', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof(address, address, fc.string()), fc.nat(8)), { maxLength: 40 }),
      (wishes) => {
        const claims = new Claims([]);
        const granted: { text: string; owner: string }[] = [];
        for (const [text, number] of wishes) {
          const owner = `service ${number}`;
          const clashes = granted.some(
            (one) => one.owner !== owner && (one.text === text || overlap(one.text, text)),
          );
          const other = claims.address(text, owner);
          // Whose text is known has it, whatever it means.
          if (!clashes) expect(other, text).toBeUndefined();
          if (other === undefined) {
            const isRanged = [text, ...granted.map((one) => one.text)].some((each) => /:\d+-\d+$/.test(each));
            if (isRanged) expect(clashes, text).toBe(false);
            granted.push({ text, owner });
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

it('takes about as long for each of many', () => {
  const started = performance.now();
  const claims = new Claims([]);
  for (let n = 0; n < 30_000; n += 1)
    expect(claims.address(`10.0.${n % 7}.1:${2 * n}-${2 * n + 1}`, `service ${n}`)).toBeUndefined();
  // Each against each would take minutes.
  expect(performance.now() - started).toBeLessThan(10_000);
});
