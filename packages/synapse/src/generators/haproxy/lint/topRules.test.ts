import { describe, expect, it } from 'vitest';
import { readHaproxyBlock } from '../block/blocks.js';
import type { LintInput } from './input.js';
import { topFindings } from './topRules.js';

function found(
  top: Readonly<Record<string, unknown>>,
  services: LintInput['services'] = new Map(),
): string[] {
  const { config } = readHaproxyBlock({}, 'h');
  const view = { services: [] };
  return topFindings({ raw: top, config: config!, services, view })
    .filter(({ message }) => message.includes('and later refuse'))
    .map(({ path, message }) => `${path.join('/')}: ${message}`);
}

const inSections = (...titles: readonly string[]): Readonly<Record<string, unknown>> => ({
  extra_sections: Object.fromEntries(titles.map((title) => [title, ['mode http']])),
});

describe('lines of the top level that a later HAProxy refuses', () => {
  it('are told of where they are lines of a proxy', () => {
    const lines = [
      'grace 3s',
      'transparent',
      'dispatch 10.0.0.1:80',
      'monitor-net 10.0.0.0/8',
      'option http_proxy',
    ];
    expect(found({ extra_sections: { 'listen old': lines, 'ring r': ['grace 3s'] } })).toEqual([
      expect.stringMatching(/^extra_sections\/listen old\/0: HAProxy 2\.5 and later refuse `grace 3s`/),
      expect.stringMatching(/old\/1: HAProxy 3\.5 .* a server with the address 0\.0\.0\.0$/),
      expect.stringMatching(/old\/2: HAProxy 3\.5 .*: write `server dispatch 10\.0\.0\.1:80`$/),
      expect.stringMatching(
        /old\/3: .*: write `http-request return status 200 if \{ src 10\.0\.0\.0\/8 \}`$/,
      ),
      expect.stringMatching(/old\/4: HAProxy 2\.5 .*set-dst/),
    ]);
    // That of `global` is another one, which is taken.
    expect(found({ global: ['grace 3s', 'master-worker exit-on-failure'] })).toEqual([]);
    expect(found({ defaults: ['mode http', 'option transparent', 'grace-ful'] })).toEqual([]);
  });

  it('are those of master mode, which is for the command line', () => {
    expect(found({ global: [' master-worker'] })).toEqual([
      expect.stringMatching(/^global\/0: HAProxy 3\.5/),
    ]);
  });
});

describe('names of sections that HAProxy 3.3 refuses', () => {
  it.each([
    [['frontend a', 'backend a'], 'extra_sections/backend a: ', 'frontend a'],
    [['backend a', 'frontend a'], 'extra_sections/frontend a: ', 'backend a'],
    [['defaults a', 'backend a'], 'extra_sections/backend a: ', 'defaults a'],
    [['listen a', 'defaults a'], 'extra_sections/defaults a: ', 'listen a'],
    [['frontend web'], 'extra_sections/frontend web: ', 'backend of web'],
    [['frontend shop'], 'extra_sections/frontend shop: ', 'backend of named'],
  ])('%j', (titles, place, other) => {
    const services = new Map<string, unknown>([
      ['web', { port: 80 }],
      ['named', { backend_name: 'shop' }],
      ['off', { disabled: true }],
    ]);
    const all = found(inSections(...titles), services);
    expect(all).toHaveLength(1);
    expect(all[0]).toContain(place);
    expect(all[0]).toContain(`(${other})`);
  });

  it('are not those of different names, of other sections, or that no HAProxy takes', () => {
    const services = new Map<string, unknown>([
      ['web', { port: 80 }],
      ['off', { disabled: true }],
    ]);
    // Our own frontend is renamed for it; two of one kind are told of elsewhere.
    const titles = [
      'frontend off',
      'backend b',
      'ring b',
      'userlist web',
      'listen c',
      'frontend c',
      'backend web',
    ];
    expect(found(inSections(...titles, 'defaults', 'frontend'), services)).toEqual([]);
  });
});
