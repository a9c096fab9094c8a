import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError, nerveCodec, serversetCodec } from './codecs/index.js';
import { carriesData, decodeChild, nodeNameFor, nodeNameProblem, parseNodeName } from './nodeName.js';

function testdata(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`codecs/testdata/${name}`, import.meta.url), 'utf8'));
}

/** Nodes that Ruby's nerve made in a real ZooKeeper. */
const written = testdata('ruby-znodes.json') as readonly {
  readonly service: string;
  readonly instance_id: string;
  readonly config: { readonly use_path_encoding?: boolean; readonly node_type?: string };
  readonly name: string;
  readonly data: string;
}[];
/** The ids that Ruby itself finds in names (codecs/testdata/ruby.rb). */
const ids = testdata('ruby-ids.json') as readonly (readonly [name: string, id: number | null])[];
/** Children that Ruby's synapse was given. */
const children = testdata('children.json') as readonly { readonly path: string; readonly data: string }[];

describe('nodeNameFor', () => {
  it.each(written)("is Ruby's name for $service", ({ instance_id, config, name, data }) => {
    const made = nodeNameFor(instance_id, Buffer.from(data), {
      pathEncoding: config.use_path_encoding === true,
    });
    const sequential = (config.node_type ?? 'sequential').includes('sequential');
    expect(sequential ? `${made}0000000000` : made).toBe(name);
  });

  it('takes data of up to 65,536 characters of base64 into the name, and no more', () => {
    const name = (bytes: number) => nodeNameFor('i-1', Buffer.alloc(bytes, 0xfb), { pathEncoding: true });
    expect(name(49_152)).toMatch(/^base64_65536_[\w-]{65536}_$/);
    expect(name(49_153)).toBe('i-1_');
    expect(name(0)).toBe('base64_0__');
    expect(nodeNameFor('i-1', Buffer.from('{}'))).toBe('i-1_');
  });
});

describe('parseNodeName', () => {
  it.each(ids)('finds in %j the id that Ruby finds: %j', (name, id) => {
    expect(parseNodeName(name).id ?? null).toBe(id);
  });

  it('finds no id that a number cannot hold', () => {
    expect(parseNodeName('a_99999999999999999999').id).toBeUndefined();
  });

  it('reads back what was written, up to the longest name, with and without a sequence', () => {
    const data = fc
      .uint8Array({ minLength: 1, maxLength: 49_152, size: 'max' })
      .map((bytes) => Buffer.from(bytes));
    const suffix = fc.option(fc.integer({ min: 0, max: 2_147_483_647 }), { nil: undefined });
    fc.assert(
      fc.property(data, suffix, (bytes, sequence) => {
        const name = nodeNameFor('i', bytes, { pathEncoding: true });
        const full = sequence === undefined ? name : name + String(sequence).padStart(10, '0');
        const parsed = parseNodeName(full);
        expect(parsed.data?.equals(bytes)).toBe(true);
        if (sequence !== undefined) expect(parsed.id).toBe(sequence);
        expect(nodeNameProblem(full)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['base64_', 'No length'],
    ['base64_x_YWJj_', 'No length'],
    ['base64_-4_YWJj_', 'No length'],
    ['base64_9999999_YWJj_', 'No length'],
    ['base64_9_notbase64!_0000000003', 'Not base64'],
    ['base64_4_YW+j_', 'Not base64'],
    ['base64_4_a=bc_', 'Not base64'],
    ['base64_5_YWJjZ_', 'Not base64'],
    ['base64_0__', 'Not base64'],
    ['base64_40_YWJj_', 'Shorter than its length says'],
  ])('tells why %j carries no data', (name, problem) => {
    const parsed = parseNodeName(name);
    expect(parsed.data).toBeUndefined();
    expect(parsed.problem).toContain(problem);
    expect(carriesData(name)).toBe(false);
  });

  it('takes any name without throwing, in linear time', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (name) => void parseNodeName(name)));
    fc.assert(fc.property(fc.string(), (rest) => void parseNodeName(`base64_${rest}`)));
    const started = performance.now();
    for (const part of ['_', '1', '1_', '_1', 'a_', '=']) {
      parseNodeName(part.repeat(65_536));
      parseNodeName(`base64_65536_${part.repeat(65_536)}`);
    }
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('nodeNameProblem', () => {
  it.each(['i-0123abcd.example_', 'base64_4_YWJj_0000000001', 'é_', 'a b_', '...'])('allows %j', (name) => {
    expect(nodeNameProblem(name)).toBeUndefined();
  });

  it.each(['', '.', '..', 'a/b_', '\0', 'a\n_', '\u007f', '\u0085', '😀_', '\ue000', '\uffff'])(
    'refuses %j',
    (name) => {
      expect(nodeNameProblem(name)).toBeDefined();
    },
  );
});

describe('decodeChild', () => {
  const nodes = new Map(children.map(({ path, data }) => [path, Buffer.from(data)]));
  const child = (path: string) => decodeChild(path.replace(/.*\//, ''), nodes.get(path), nerveCodec);

  it('reads plain and encoded children as synapse does', () => {
    expect(child('/s/web/w1_0000000001')).toEqual({
      host: '127.0.5.2',
      port: 21080,
      name: 'w1',
      id: 1,
      labels: { az: 'b' },
      haproxyServerOptions: 'backup',
    });
    const encoded = [...nodes.keys()].find((path) => path.startsWith('/s/web/base64_88_'))!;
    const instance = { host: '127.0.5.9', port: 8080, name: 'enc', id: 2, labels: { az: 'a' } };
    expect(child(encoded)).toEqual(instance);
    // Its name tells everything: the node need not be read.
    expect(decodeChild(encoded.slice(7), undefined, nerveCodec)).toEqual(instance);
  });

  it('falls back to the data where the name is bad, and fails for that child alone', () => {
    expect(child('/s/bad/base64_9_notbase64!_0000000003')).toEqual({
      host: '127.0.5.77',
      port: 1,
      name: 'fallback',
      id: 3,
    });
    expect(() => child('/s/bad/bad_0000000001')).toThrow(new DecodeError('Not JSON'));
    expect(() => child('/s/bad/nohost_0000000002')).toThrow(new DecodeError('No host'));
    expect(child('/s/bad/good_0000000000').id).toBe(0);
  });

  it('falls back to the data where the name carries no instance', () => {
    const name = nodeNameFor('i', Buffer.from('{"port":1}'), { pathEncoding: true });
    const data = Buffer.from('{"host":"h","port":1}');
    expect(decodeChild(name, data, nerveCodec)).toEqual({ host: 'h', port: 1 });
    expect(() => decodeChild(name, undefined, nerveCodec)).toThrow(new DecodeError('No host'));
  });

  it("reads an encoded name in nerve's format whatever the codec of the data", () => {
    const name = nodeNameFor('i', Buffer.from('{"host":"h","port":1}'), { pathEncoding: true });
    expect(decodeChild(`${name}0000000004`, undefined, serversetCodec())).toEqual({
      host: 'h',
      port: 1,
      id: 4,
    });
  });

  it('says what is missing of a child that was not read', () => {
    expect(() => decodeChild('a_1', undefined, nerveCodec)).toThrow(new DecodeError('No data'));
    expect(() => decodeChild('base64_x', undefined, nerveCodec)).toThrow('No length after base64_');
  });
});
