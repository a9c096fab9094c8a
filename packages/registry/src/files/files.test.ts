import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../codecs/types.js';
import { isRegistrationFileName, registrationFileName, registrationFilePrefix } from './fileName.js';
import { decodeRegistrationFile, encodeRegistrationFile, isFresh } from './registrationFile.js';

const content = {
  service: 'web',
  ttlSeconds: 30,
  owner: 'o',
  instance: { host: 'h', port: 1, name: 'i', weight: 2, labels: { a: 1e20 } },
};

describe('registrationFileName', () => {
  it('shows plain names as they are', () => {
    expect(registrationFileName('web.main_2', 'i-0abc')).toBe('web.main_2@i-0abc.json');
  });

  it('lets no name leave the folder, hide, or end early', () => {
    expect(registrationFileName('../x', '.')).toBe('%2E.%2Fx@%2E.json');
    expect(registrationFileName('a@b', 'ü\0')).toBe('a%40b@%C3%BC%00.json');
    const any = fc.string({ unit: 'binary', minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(any, any, (service, id) => {
        const name = registrationFileName(service, id);
        expect(name).toMatch(/^[\w%-][\w.%~-]*@[\w%-][\w.%~-]*\.json$/);
        expect(name.length).toBeLessThan(200);
      }),
    );
  });

  it('gives two registrations two names, and all of a service one beginning', () => {
    const any = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(any, any, any, any, (a, b, c, d) => {
        const name = registrationFileName(a, b);
        expect(isRegistrationFileName(name)).toBe(true);
        expect(name.startsWith(registrationFilePrefix(c))).toBe(a === c);
        expect(name === registrationFileName(c, d)).toBe(a === c && b === d);
      }),
    );
    const [long, longer] = ['%'.repeat(200), '%'.repeat(201)];
    expect(registrationFileName(long, 'i')).not.toBe(registrationFileName(longer, 'i'));
    expect(registrationFileName(long, 'i')).toMatch(/^(%25)+~[0-9a-f]{24}@i\.json$/);
  });

  it.each([
    '.web@i.json',
    'web.json',
    '@i.json',
    'web@.json',
    'a@b@c.json',
    'web@i.json~',
    'we b@i.json',
    'web@i.json.tmp',
  ])('takes %s for no registration', (name) => expect(isRegistrationFileName(name)).toBe(false));
});

describe('a registration file', () => {
  it('carries the data of a node byte for byte, and is read back', () => {
    const data = encodeRegistrationFile(content);
    expect(data.toString()).toBe(
      '{"service":"web","ttl":30,"owner":"o","instance":' +
        '{"host":"h","port":1,"name":"i","weight":2,"labels":{"a":1.0e+20}}}\n',
    );
    expect(decodeRegistrationFile(data)).toEqual(content);
  });

  it.each([
    '',
    '[]',
    '{"service":"web","ttl":30,"owner":"o"}',
    '{"service":"web","ttl":0,"owner":"o","instance":{"host":"h","port":1}}',
    '{"service":"","ttl":30,"owner":"o","instance":{"host":"h","port":1}}',
    '{"service":"web","ttl":30,"instance":{"host":"h","port":1}}',
    '{"service":"web","ttl":30,"owner":"o","instance":{"host":"h","port":0}}',
  ])('is refused when it is %s', (text) => {
    expect(() => decodeRegistrationFile(Buffer.from(text))).toThrow(DecodeError);
  });

  it('counts for its time to live after it was touched, also by a clock that is ahead', () => {
    expect(isFresh(content, 1_000, 30_999)).toBe(true);
    expect(isFresh(content, 1_000, 31_000)).toBe(false);
    expect(isFresh(content, 99_000, 1_000)).toBe(true);
  });
});
