import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { render } from './render.js';
import { aView, desire, instance, lines } from '../testing/desire.js';

describe('hostile data', () => {
  const nasty = fc.oneof(
    fc.constantFrom(
      '\n',
      '\r\n\tserver evil 6.6.6.6:6',
      'a b',
      '#',
      '$HOME',
      '"',
      "'",
      '\\',
      ';',
      '<<',
      '%',
      '%{host}',
    ),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom('10.0.0.1', 'host.example', '::1', 'BACKEND', 'FRONTEND', '__proto__', 'x'.repeat(9000)),
  );
  /** Mostly good, so that one bad field is what decides. */
  const mostly = <T>(good: T): fc.Arbitrary<T> =>
    fc.oneof(
      { arbitrary: fc.constant(good), weight: 5 },
      { arbitrary: nasty as fc.Arbitrary<never>, weight: 1 },
    );
  const hostile = fc.record(
    {
      host: mostly('10.0.0.1'),
      port: fc.oneof(mostly(80), fc.integer(), fc.double()),
      name: mostly('a'),
      weight: fc.oneof(fc.integer(), fc.double()),
      haproxyServerOptions: fc.oneof(
        mostly('backup'),
        fc.tuple(fc.constantFrom('check', 'weight', 'cookie'), nasty).map((two) => two.join(' ')),
      ),
    },
    { requiredKeys: ['host', 'port'] },
  );

  it("never adds a line, a section or a word that is not a server's", () => {
    const addresses = new Map([['host.example', '10.0.0.7']]);
    let written = 0;
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 6 }), fc.boolean(), (instances, useWeights) => {
        const good = instance(250, { name: 'good' });
        const top = { stats: false, use_nerve_weights: useWeights, registry_server_options: 'any' };
        const result = desire([aView([...instances, good], { server_options: 'check' })], { top, addresses });
        const servers = lines(result);
        written += servers.length - 1;
        expect(servers.some((line) => line.startsWith('server good_10.0.0.250:80 10.0.0.250:80 '))).toBe(
          true,
        );
        const empty = render(desire([aView([])], { top }).desired).split('\n');
        const added = render(result.desired).split('\n');
        expect(added).toHaveLength(empty.length + servers.length);
        for (const line of added.slice(empty.length - 1, -1)) {
          expect(line).toMatch(/^\tserver [A-Za-z0-9_.:-]{1,255} [0-9a-f.:[\]]+:\d{1,5} id \d+ check[ -~]*$/);
          expect(line).not.toMatch(/[#$"'\\;<>]/);
        }
      }),
      { numRuns: 500 },
    );
    expect(written).toBeGreaterThan(100);
  });

  it('meets a last line of defence in render', () => {
    const { desired } = desire([aView([instance(1)])]);
    const [sections] = desired.services;
    const server = sections!.backend.servers[0]!;
    const withServer = (change: object) => () =>
      render({
        ...desired,
        services: [{ ...sections!, backend: { ...sections!.backend, servers: [{ ...server, ...change }] } }],
      });
    expect(withServer({})).not.toThrow();
    expect(withServer({ name: 'a\nb' })).toThrow('control characters');
    expect(withServer({ name: 'a b' })).toThrow('not one word');
    expect(withServer({ options: ['check', ''] })).toThrow('not one word');
    expect(() => render({ ...desired, base: [{ title: 'global\n', lines: [] }] })).toThrow(
      'control characters',
    );
  });
});
