import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Nonces } from './nonces.js';
import {
  authorizationOf,
  type Challenge,
  provenWith,
  isProvenAnswer,
  newChallenge,
  presentedIn,
  proofOfAnswer,
} from './proof.js';
import { isAny, parseTarget, targetText } from './target.js';

const key = 'k'.repeat(32);
const target = '10.0.0.5:3457';
const challenge: Challenge = { target, atMs: 1_700_000_000_000, nonce: 'ab'.repeat(16) };
const body = Buffer.from('{"v":1}');

/** Whether the server of `at` takes what was made with `given`. */
const isTaken = (header: string, at = target, given = key): boolean => {
  const presented = presentedIn(header, at);
  return presented !== undefined && provenWith([given], presented) === given;
};

describe('the proof of who asks', () => {
  it('is taken by who has the key, and does not hold it', () => {
    const header = authorizationOf(key, challenge);
    expect(isTaken(header)).toBe(true);
    expect(header).not.toContain(key);
    expect(header).toBe(
      `SmartStack-HMAC at=1700000000000, nonce=${challenge.nonce}, proof=${/[0-9a-f]{64}$/.exec(header)?.[0]}`,
    );
  });

  it('is good for one host, one time, one nonce and one key', () => {
    const header = authorizationOf(key, challenge);
    expect(isTaken(header, '10.0.0.6:3457')).toBe(false);
    expect(isTaken(header, '10.0.0.5:3458')).toBe(false);
    expect(isTaken(header, target, 'l'.repeat(32))).toBe(false);
    expect(isTaken(header.replace('at=1700000000000', 'at=1700000000001'))).toBe(false);
    expect(isTaken(header.replace('nonce=ab', 'nonce=ac'))).toBe(false);
  });

  it('is taken by whoever has several keys, of which it was made with one', () => {
    const presented = presentedIn(authorizationOf(key, challenge), target)!;
    const [other, third] = ['l'.repeat(32), 'm'.repeat(32)];
    for (const keys of [[key], [key, other], [other, key], [other, third, key]])
      expect(provenWith(keys, presented)).toBe(key);
    expect(provenWith([other, third], presented)).toBeUndefined();
    expect(provenWith([], presented)).toBeUndefined();
  });

  it('is nothing else', () => {
    const header = authorizationOf(key, challenge);
    for (const wrong of [undefined, '', 'Bearer x', `${header} `, header.toUpperCase(), `${header}, a=b`])
      expect(presentedIn(wrong, target)).toBeUndefined();
    fc.assert(fc.property(fc.string(), (text) => presentedIn(text, target) === undefined));
  });

  it('has a nonce of its own each time', () => {
    const nonces = new Set(Array.from({ length: 100 }, () => newChallenge(target, 1.5).nonce));
    expect(nonces.size).toBe(100);
    expect(newChallenge(target, 1.5).atMs).toBe(2);
  });
});

describe('the proof of an answer', () => {
  const proof = proofOfAnswer(key, challenge, body);
  it('is of who has the key, to this challenge, with this body', () => {
    expect(isProvenAnswer(key, challenge, body, proof)).toBe(true);
    expect(isProvenAnswer('l'.repeat(32), challenge, body, proof)).toBe(false);
    expect(isProvenAnswer(key, { ...challenge, nonce: 'cd'.repeat(16) }, body, proof)).toBe(false);
    expect(isProvenAnswer(key, { ...challenge, target: '10.0.0.6:3457' }, body, proof)).toBe(false);
    expect(isProvenAnswer(key, challenge, Buffer.from('{"v":2}'), proof)).toBe(false);
    for (const wrong of [undefined, '', proof.slice(1), `${proof}0`])
      expect(isProvenAnswer(key, challenge, body, wrong)).toBe(false);
  });

  it('cannot be made of what who asks sends', () => {
    const asked = presentedIn(authorizationOf(key, challenge), target)?.proof;
    expect(isProvenAnswer(key, challenge, Buffer.alloc(0), asked)).toBe(false);
  });
});

describe('nonces', () => {
  it('are known for a while, and not more than so many', () => {
    const nonces = new Nonces(1_000, 2);
    expect(['a', 'b', 'a', 'c'].map((each) => nonces.note(each, 0))).toEqual(['new', 'new', 'again', 'full']);
    expect(nonces.note('a', 999)).toBe('again');
    expect([nonces.note('c', 1_000), nonces.note('a', 1_000)]).toEqual(['new', 'new']);
  });
});

describe('where a host is asked', () => {
  it.each(['10.0.0.5:1', '[fc00::1]:65535'])('is %s', (text) => {
    const parsed = parseTarget(text);
    expect(parsed && targetText(parsed)).toBe(text);
  });

  it.each([
    ...['', 'localhost:80', 'vm-1.example:80', '/run/x.sock', '10.0.0.5', '10.0.0.5:0', '10.0.0.5:65536'],
    ...['fc00::1:80', '10.0.0.5:80/x', 'http://10.0.0.5:80', '10.0.0.5:80@evil:1', '010.0.0.5:80', '10.5:80'],
    ...['2130706433:80', '0x7f.1:80', '[::1%eth0]:80', '10.0.0.5:80\r\nx: y', '[10.0.0.5]:80'],
  ])('is not %j', (text) => expect(parseTarget(text)).toBeUndefined());

  it('is one address', () => {
    expect(['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '000.0.0.0'].map(isAny)).toEqual([true, true, true, true]);
    expect(['10.0.0.0', '::1', '0.0.0.1'].map(isAny)).toEqual([false, false, false]);
  });
});
