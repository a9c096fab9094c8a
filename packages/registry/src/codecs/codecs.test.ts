import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Instance, Json } from '../instance.js';
import { codecOptions, codecs, createCodec, DecodeError, nerveCodec, serversetCodec } from './index.js';

interface RubyZnode {
  readonly service: string;
  readonly instance_id: string;
  readonly config: {
    readonly host: string;
    readonly port: number;
    readonly weight?: number | string;
    readonly labels?: Readonly<Record<string, Json>>;
    readonly haproxy_server_options?: string;
  };
  readonly data: string;
}

/** What Ruby's nerve 0.9.7 wrote into a real ZooKeeper. */
const written = JSON.parse(
  readFileSync(new URL('testdata/ruby-znodes.json', import.meta.url), 'utf8'),
) as readonly RubyZnode[];

function instanceOf({ config, instance_id }: RubyZnode): Instance {
  const { host, port, weight, labels, haproxy_server_options: options } = config;
  return {
    host,
    port,
    name: instance_id,
    ...(weight === undefined ? {} : { weight: Number(weight) }),
    ...(options === undefined ? {} : { haproxyServerOptions: options }),
    ...(labels === undefined ? {} : { labels }),
  };
}

/** Any instance that a registration can hold. */
const label = fc.jsonValue({ maxDepth: 3 }).filter((value) => !JSON.stringify(value).includes('-0'));
const instances: fc.Arbitrary<Instance> = fc.record(
  {
    host: fc.string({ unit: 'grapheme', minLength: 1 }),
    port: fc.integer({ min: 1, max: 65_535 }),
    portAsText: fc.constant(true as const),
    name: fc.string({ unit: 'grapheme' }),
    weight: fc.integer({ min: 0, max: 1_000_000 }),
    haproxyServerOptions: fc
      .string({ unit: 'binary' })
      .filter((text) => Buffer.from(text).toString() === text),
    labels: fc.dictionary(fc.string(), label) as fc.Arbitrary<Readonly<Record<string, Json>>>,
  },
  { requiredKeys: ['host', 'port'] },
);

describe("nerve's codec", () => {
  it.each(written)("writes Ruby's bytes for $service, and reads them", (znode) => {
    const instance = instanceOf(znode);
    expect(nerveCodec.encode(instance).toString()).toBe(znode.data);
    expect(nerveCodec.decode(Buffer.from(znode.data))).toEqual(instance);
  });

  it('keeps a port that the definition quotes as text', () => {
    const data = nerveCodec.encode({ host: 'h', port: 8080, portAsText: true, name: 'i' });
    expect(data.toString()).toBe('{"host":"h","port":"8080","name":"i"}');
    expect(nerveCodec.decode(data)).toEqual({ host: 'h', port: 8080, portAsText: true, name: 'i' });
  });

  it('notes that a registrar says that it takes no requests (as go-nerve does), and nothing else of that kind', () => {
    const decode = (more: object) =>
      nerveCodec.decode(Buffer.from(JSON.stringify({ host: 'h', port: 1, ...more })));
    expect(decode({ available: false, unavailable_reason: 'disabled' })).toEqual({
      host: 'h',
      port: 1,
      available: false,
    });
    for (const available of [true, null, 'false', 0])
      expect(decode({ available })).toEqual({ host: 'h', port: 1 });
  });

  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(instances, (instance) => {
        expect(nerveCodec.decode(nerveCodec.encode(instance))).toEqual(instance);
      }),
    );
  });

  it.each<[string, Partial<Instance>]>([
    ['{"host":"h","port":80,"name":7}', { name: '7' }],
    ['{"host":"h","port":80,"name":null,"weight":null,"labels":null,"haproxy_server_options":null}', {}],
    ['{"host":"h","port":80,"weight":"12"}', { weight: 12 }],
    ['{"host":"h","port":80,"weight":-1,"labels":[1],"haproxy_server_options":5,"name":{}}', {}],
    ['{"host":"h","port":80,"weight":1.5,"unknown":{"a":[]},"id":99}', {}],
    ['{"host":"h","port":80,"host":"g"}', { host: 'g' }],
    [' {"host":"h","port":80} \n', {}],
    ['{"host":"h","port":"080"}', { port: 80 }],
    ['{"host":"h","port":80,"labels":{"a":{"b":[null]}}}', { labels: { a: { b: [null] } } }],
  ])('reads %s', (data, fields) => {
    expect(nerveCodec.decode(Buffer.from(data))).toEqual({ host: 'h', port: 80, ...fields });
  });

  it.each<[string | Buffer, string]>([
    ['', 'No data'],
    ['not json', 'Not JSON'],
    ['{"host":"h","port":80', 'Not JSON'],
    [Buffer.from([0x7b, 0xff, 0x7d]), 'Not UTF-8 text'],
    ['[]', 'Not a JSON object'],
    ['null', 'Not a JSON object'],
    ['"x"', 'Not a JSON object'],
    ['{"port":1}', 'No host'],
    ['{"host":null,"port":1}', 'No host'],
    ['{"host":"","port":1}', 'The host is not a name or an address'],
    ['{"host":["h"],"port":1}', 'The host is not a name or an address'],
    ['{"host":"h"}', 'No port'],
    ['{"host":"h","port":null}', 'No port'],
    ...[
      '0',
      '70000',
      '-1',
      '80.5',
      '"http"',
      '""',
      '" 80"',
      '"0x50"',
      '[80]',
      'true',
      '1e9',
      '"99999999999"',
    ].map((port): [string, string] => [
      `{"host":"h","port":${port}}`,
      'The port is not an integer from 1 to 65535',
    ]),
    [`{"host":"h","port":1,"x":${'['.repeat(100)}${']'.repeat(100)}}`, 'Nested more than 100 levels deep'],
    ['['.repeat(500_000), 'Not JSON'],
    [
      `{"host":"h","port":1,"x":${'['.repeat(400_000)}${']'.repeat(400_000)}}`,
      'Nested more than 100 levels deep',
    ],
    [`{"host":"h","port":1,"x":"${'y'.repeat(1024 * 1024)}"}`, 'More than 1048576 bytes of data'],
  ])('refuses %.60s', (data, message) => {
    const decode = () => nerveCodec.decode(Buffer.from(data));
    expect(decode).toThrow(DecodeError);
    expect(decode).toThrow(message);
  });

  it('throws nothing but DecodeError, whatever the data', () => {
    const data = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(data, (bytes) => {
        try {
          const { host, port } = nerveCodec.decode(Buffer.from(bytes));
          expect([typeof host, Number.isInteger(port)]).toEqual(['string', true]);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
          expect((error as DecodeError).message).toMatch(/^[\x20-\x7e]{1,120}$/);
        }
      }),
    );
  });

  it('quotes nothing of hostile data but a short port', () => {
    const data = `{"host":"h","port":${JSON.stringify(`\n\u001b[2J\u2028${'x'.repeat(1000)}`)}}`;
    expect(() => nerveCodec.decode(Buffer.from(data))).toThrow(/^[\x20-\x7e]{1,120}$/);
  });
});

describe("a serverset's codec", () => {
  /** The example of synapse's own source. */
  const member = {
    additionalEndpoints: {
      serverset: { host: 'somehostname', port: 31943 },
      http: { host: 'somehostname', port: 31943 },
      otherport: { host: 'somehostname', port: 31944, weight: 3, labels: { az: 'a' }, name: 'ignored' },
    },
    serviceEndpoint: { host: 'somehostname', port: 31943 },
    shard: 0,
    status: 'ALIVE',
  };
  const decode = (value: unknown, endpoint?: string) =>
    serversetCodec(endpoint).decode(Buffer.from(JSON.stringify(value)));

  it('reads the service endpoint, or the one it is asked for; the shard is the name', () => {
    expect(decode(member)).toEqual({ host: 'somehostname', port: 31943, name: '0' });
    expect(decode(member, 'otherport')).toEqual({
      host: 'somehostname',
      port: 31944,
      name: '0',
      weight: 3,
      labels: { az: 'a' },
    });
    expect(decode({ ...member, shard: undefined }, 'otherport').name).toBeUndefined();
    expect(decode({ ...member, shard: 'a/1' }).name).toBe('a/1');
    expect(decode({ ...member, status: 'DEAD' }).port).toBe(31943);
  });

  it.each([
    [{}, undefined, 'No serviceEndpoint'],
    [{ serviceEndpoint: 'h:1' }, undefined, 'No serviceEndpoint'],
    [{ serviceEndpoint: { host: 'h' } }, undefined, 'No port'],
    [{ serviceEndpoint: { host: 'h', port: 0 } }, undefined, 'The port is not'],
    [member, 'gone', 'No additional endpoint "gone"'],
    [member, 'constructor', 'No additional endpoint "constructor"'],
    [{ serviceEndpoint: { host: 'h', port: 1 } }, 'http', 'No additional endpoint "http"'],
  ])('refuses %j with endpoint %j', (value, endpoint, message) => {
    expect(() => decode(value, endpoint)).toThrow(DecodeError);
    expect(() => decode(value, endpoint)).toThrow(message);
  });

  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(
        instances,
        fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
        (instance, endpoint) => {
          fc.pre(endpoint !== '__proto__');
          const codec = serversetCodec(endpoint);
          const { name, ...nameless } = instance;
          const isShard = /^(?:0|[1-9]\d{0,14})$/.test(name ?? '');
          expect(codec.decode(codec.encode(instance))).toEqual(isShard ? instance : nameless);
        },
      ),
    );
  });

  it('writes what other readers of serversets expect', () => {
    // To Prometheus a shard that is no number makes the whole node one to leave out.
    expect(serversetCodec().encode({ host: 'h', port: 80, name: 'i-7' }).toString()).not.toContain('shard');
    const data = serversetCodec('http').encode({ host: 'h', port: 80, name: '12' });
    expect(data.toString()).toBe(
      '{"serviceEndpoint":{"host":"h","port":80},"additionalEndpoints":{"http":{"host":"h","port":80}},"status":"ALIVE","shard":12}',
    );
  });
});

describe('createCodec', () => {
  it('makes what the configuration asks for, nerve by default', () => {
    expect(createCodec()).toBe(nerveCodec);
    expect(createCodec(codecOptions.parse({ method: 'nerve' }))).toBe(nerveCodec);
    const data = Buffer.from('{"additionalEndpoints":{"http":{"host":"h","port":1}}}');
    const options = codecOptions.parse({ method: 'serverset', endpoint_name: 'http' });
    expect(createCodec(options).decode(data)).toEqual({ host: 'h', port: 1 });
  });

  it.each([{}, { method: 'other' }, { method: 'nerve', endpoint_name: 'x' }])('refuses %j', (options) => {
    expect(codecOptions.safeParse(options).success).toBe(false);
  });

  it('knows every codec of the table', () => {
    for (const method of Object.keys(codecs)) expect(codecOptions.safeParse({ method }).success).toBe(true);
  });
});
