import { describe, expect, it } from 'vitest';
import { readHaproxyBlock } from '../block/blocks.js';
import { aView, desire } from '../testing/desire.js';
import type { ServiceSections } from '../types.js';
import { baseFor } from './certificates.js';

const spared = 'httpclient.ssl.verify none';
const global = (block: object, top: object = {}): string =>
  desire([aView([], { port: 443, ...block })], { top }).desired.base[0]!.lines.join('\n');

describe('the certificates of HAProxy’s own HTTP client', () => {
  const plain = global({});

  it('are not read where nobody can need them', () => {
    expect(plain).toContain(spared);
    expect(global({ bind_options: 'ssl crt /etc/a.pem' })).toBe(plain);
  });

  it.each<[string, object, object?]>([
    ['options of a bind line', { bind_options: 'ssl crt /etc/a.pem ocsp-update on' }],
    ['a bind line of its own', { frontend: ['bind :444 ssl crt-list /etc/certificates'] }],
    ['the shared frontend', {}, { shared_frontend: ['bind :445 ssl crt /etc/a.pem ocsp-update on'] }],
  ])('are read where it asks for OCSP answers for %s', (_, block, top) => {
    const asking = global(block, top);
    expect(asking).not.toContain(spared);
    // Nothing else is another.
    expect(plain.split('\n').filter((line) => !asking.split('\n').includes(line))).toEqual([
      ...['.if version_atleast(2.6)', '.if feature(OPENSSL)', spared],
    ]);
  });

  it('are the operator’s own affair in a global of his', () => {
    const base = [{ title: 'global', lines: ['maxconn 5', spared] }];
    expect(baseFor(base, [], ['bind :1 ssl ocsp-update on'])[0]?.lines).toEqual(['maxconn 5', spared]);
  });

  it('change the base once: it stays the same value', () => {
    const { base } = readHaproxyBlock({}, 'h').config!;
    const asking = ['bind :1 ssl ocsp-update on'];
    const none: readonly ServiceSections[] = [];
    expect(baseFor(base, none, [])).toBe(base);
    expect(baseFor(base, none, asking)).not.toBe(base);
    expect(baseFor(base, none, asking)).toBe(baseFor(base, none, asking));
  });
});
