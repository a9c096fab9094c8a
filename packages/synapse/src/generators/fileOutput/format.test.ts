import { readFileSync } from 'node:fs';
import type { Instance } from '@smartstack/registry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentOf, fileNameOf, saysTheSame } from './format.js';

describe('contentOf', () => {
  it("is Ruby's file to the byte, for the same znodes", () => {
    const catalog = new URL('../haproxy/testdata/4-file-output/catalog.json', import.meta.url);
    const { web } = JSON.parse(readFileSync(catalog, 'utf8')) as { web: Instance[] };
    const ruby = readFileSync(new URL('testdata/ruby.web.json', import.meta.url), 'utf8');
    expect(contentOf(web)).toBe(ruby);
  });

  it('has all seven keys, whatever an instance lacks, and keeps a port that is text', () => {
    expect(contentOf([{ host: 'h', port: 80, portAsText: true, weight: 0 }])).toBe(
      '[{"name":null,"host":"h","port":"80","id":null,"weight":0,"haproxy_server_options":null,"labels":null}]',
    );
    expect(contentOf([])).toBe('[]');
  });

  it('is JSON for whatever was discovered', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('"', '\n', '\u2028', '</script>', '\u0000', '\\'));
    const hostile = fc.record({
      ...{ host: text, port: fc.integer(), name: text, haproxyServerOptions: text },
      labels: fc.dictionary(text, fc.jsonValue() as fc.Arbitrary<never>),
    });
    fc.assert(
      fc.property(fc.array(hostile), (instances) => {
        const read = JSON.parse(contentOf(instances)) as { host: string; name: string }[];
        expect(read.map(({ host, name }) => [host, name])).toEqual(
          instances.map(({ host, name }) => [host, name]),
        );
      }),
    );
  });
});

describe('saysTheSame', () => {
  it('sees through the notation, and takes garbage for something else', () => {
    expect(saysTheSame('[{"a": 1, "b": {"d": 2, "c": 3}}]\n', '[{"b":{"c":3,"d":2},"a":1}]')).toBe(true);
    expect(saysTheSame('[1,2]', '[2,1]')).toBe(false);
    expect(saysTheSame('[{"a":1', '[{"a":1}]')).toBe(false);
    expect(saysTheSame('', '[]')).toBe(false);
  });
});

describe('fileNameOf', () => {
  it.each(['../escape', '/etc/passwd', 'a/b', 'nul\u0000', ''])('refuses %j', (service) => {
    expect(fileNameOf(service)).toMatchObject({ name: undefined, problem: expect.any(String) as string });
  });

  it('takes any other, up to what a file system does', () => {
    expect(fileNameOf('..')).toEqual({ name: '...json' });
    expect(fileNameOf('web.main')).toEqual({ name: 'web.main.json' });
    expect(fileNameOf('x'.repeat(245)).name).toHaveLength(250);
    expect(fileNameOf('x'.repeat(246)).name).toBeUndefined();
    expect(fileNameOf('ü'.repeat(123)).name).toBeUndefined();
  });
});
