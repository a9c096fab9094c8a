import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseGeneratorConfig } from './generatorConfig.js';

const parse = (text: string) => parseGeneratorConfig(Buffer.from(text), ['haproxy', 'file_output']);

describe('parseGeneratorConfig', () => {
  it('takes the blocks of the generators that run', () => {
    expect(parse('{"haproxy":{"port":1},"nginx":{"x":1}}')).toEqual({
      kind: 'blocks',
      blocks: { haproxy: { port: 1 } },
      warnings: ['no generator is called "nginx"'],
    });
  });

  it('takes a block that is not an object for an empty one', () => {
    expect(parse('{"haproxy":null,"file_output":[1]}')).toEqual({
      kind: 'blocks',
      blocks: { haproxy: {}, file_output: {} },
      warnings: ['the block of haproxy is not an object', 'the block of file_output is not an object'],
    });
  });

  it.each(['', ' \n', '{}', '{"nginx":{}}'])('%j says nothing', (text) => {
    expect(parse(text).kind).toBe('none');
  });

  it.each(['{', 'null', '[]', '"haproxy"', '1'])('%j is invalid', (text) => {
    expect(parse(text).kind).toBe('invalid');
  });

  it('refuses what nests so deeply that comparing it would exhaust the stack', () => {
    const nested = (depth: number) => `{"haproxy":{"listen":${'['.repeat(depth)}${']'.repeat(depth)}}}`;
    expect(parse(nested(90)).kind).toBe('blocks');
    for (const depth of [100, 10_000, 400_000]) expect(parse(nested(depth)).kind).toBe('invalid');
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const { kind } = parseGeneratorConfig(Buffer.from(bytes), ['haproxy']);
        expect(['none', 'blocks', 'invalid']).toContain(kind);
      }),
    );
  });
});
