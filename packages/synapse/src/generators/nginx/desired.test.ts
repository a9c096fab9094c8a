import type { Instance } from '@smartstack/registry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CatalogView, ViewSource } from '../../catalog/types.js';
import { configOf } from '../blocks.js';
import { type NginxConfig, readNginxBlock } from './blocks.js';
import { desiredSections, withKept } from './desired.js';
import { renderFile, sectionsIn } from './file/render.js';

const config = (more: object = {}): NginxConfig =>
  configOf(
    'nginx',
    readNginxBlock({
      contexts: { main: ['pid /run/n.pid'], events: [] },
      ...{ config_file_path: '/etc/nginx.conf', ...more },
    }),
  );
const a: Instance = { host: '10.0.0.1', port: 80, name: 'a' };
const b: Instance = { host: '10.0.0.2', port: 80, name: 'b' };

function viewOf(
  services: Readonly<Record<string, { instances: readonly Instance[]; nginx: unknown; source?: ViewSource }>>,
): CatalogView {
  return {
    services: Object.entries(services).map(([name, { instances, nginx, source = 'live' }]) => ({
      ...{ name, instances, source },
      blocks: { nginx },
    })),
  };
}
const linesOf = (view: CatalogView, top: NginxConfig = config()): readonly string[] =>
  desiredSections(top, view, new Map()).sections.flatMap(({ lines }) => lines.map(({ text }) => text));
const servers = (nginx: object, ...instances: readonly Instance[]): readonly string[] =>
  linesOf(viewOf({ web: { instances, nginx } }))
    .filter((line) => line.startsWith('\t\tserver '))
    .map((line) => line.trim());

describe('desiredSections', () => {
  it("writes what jolynch's synapse-nginx does: a server, its upstream, in the order of names", () => {
    const nginx = {
      ...{ port: 3213, listen_options: 'reuseport', server: ['access_log off'], upstream: ['least_conn'] },
      ...{ upstream_name: 'backend', server_options: 'max_fails=2' },
    };
    expect(linesOf(viewOf({ web: { instances: [b, a], nginx } }))).toEqual([
      '\tserver {',
      '\t\tlisten localhost:3213 reuseport;',
      '\t\taccess_log off;',
      '\t\tlocation / {',
      '\t\t\tproxy_pass http://backend;',
      '\t\t}',
      '\t}',
      '\tupstream backend {',
      '\t\tleast_conn;',
      '\t\tserver 10.0.0.1:80 max_fails=2;',
      '\t\tserver 10.0.0.2:80 max_fails=2;',
      '\t}',
    ]);
  });

  it('orders as it is told, but never by chance: each shuffle would be a reload', () => {
    const order = (upstream_order: string): readonly string[] => servers({ upstream_order }, b, a);
    const [first, second] = ['server 10.0.0.1:80;', 'server 10.0.0.2:80;'];
    expect(order('desc')).toEqual([second, first]);
    expect(order('no_shuffle')).toEqual([second, first]);
    expect(order('shuffle')).toEqual([first, second]);
  });

  it('gives weights, and to one that is drained nothing', () => {
    expect(servers({}, { ...a, weight: 3 }, { ...b, weight: 0 })).toEqual([
      'server 10.0.0.1:80 weight=3;',
      'server 10.0.0.2:80 down;',
    ]);
    expect(servers({ server_options: 'weight=7' }, { ...a, weight: 3 })).toEqual([
      'server 10.0.0.1:80 weight=7;',
    ]);
  });

  it('has an answer for a service without anybody, whose upstream can be named all the same', () => {
    const empty = viewOf({
      web: { instances: [], nginx: { port: 1 } },
      tcp: { instances: [], nginx: { port: 2, mode: 'tcp' } },
    });
    const lines = linesOf(empty).map((line) => line.trim());
    expect(lines).toContain('return 503;');
    expect(lines.filter((line) => line === 'server 127.0.0.1:9 down;')).toHaveLength(2);
    expect(lines).not.toContain('listen localhost:2 ;');
    expect(lines.filter((line) => line.startsWith('listen'))).toEqual(['listen localhost:1;']);
  });

  it('gives a name and an address to the first that asks for it', () => {
    const view = viewOf({
      a: { instances: [a], nginx: { port: 1, mode: 'tcp' } },
      b: { instances: [a], nginx: { port: 1, mode: 'tcp', listen_address: '127.0.0.1' } },
      c: { instances: [a], nginx: { upstream_name: 'd' } },
      d: { instances: [a], nginx: {} },
      'no name': { instances: [a], nginx: {} },
    });
    const { issues, sections } = desiredSections(config(), view, new Map());
    expect(sections.map(({ service }) => service)).toEqual(['a', 'c']);
    expect(issues.map(({ service, reason }) => `${service}: ${reason}`)).toEqual([
      'b: 127.0.0.1:1 already belongs to service a',
      'd: the upstream d already belongs to service c',
      'no name: "no name" cannot be the name of an upstream; set upstream_name',
    ]);
  });

  it('lets nothing that was discovered out of its place', () => {
    const text = fc.string({ unit: fc.constantFrom(...Array.from('a1.:-_ ;{}#"\'\\$\n\r\u0000')) });
    const instance = fc.record({
      ...{ host: fc.oneof(text, fc.constant('10.0.0.1')), port: fc.integer({ min: -1, max: 70_000 }) },
      ...{ name: text, weight: fc.oneof(fc.integer(), fc.double()) },
    });
    fc.assert(
      fc.property(fc.array(instance, { maxLength: 5 }), (instances) => {
        const { text: file } = renderFile(
          config(),
          desiredSections(config(), viewOf({ web: { instances, nginx: { port: 1 } } }), new Map()).sections,
        );
        const shape = /^\t\tserver [0-9A-Fa-f.:[\]]+:\d+( weight=\d+| down)?;$/;
        const found = file.split('\n').filter((line) => line.startsWith('\t\tserver'));
        expect(found.length).toBeGreaterThan(0);
        for (const line of found) expect(line).toMatch(shape);
        expect(file.split('\n')).toHaveLength(20 + found.length);
      }),
    );
  });
});

describe('what nobody knows', () => {
  it('stays as the file has it: pending services, and those whose definition is broken', () => {
    const view = viewOf({
      web: { instances: [a], nginx: { port: 1 } },
      gone: { instances: [b], nginx: { port: 2 } },
    });
    const old = sectionsIn(renderFile(config(), desiredSections(config(), view, new Map()).sections).text);
    expect([...old.keys()]).toEqual(['web', 'gone']);
    const pending = viewOf({ web: { instances: [], nginx: { port: 1 }, source: 'pending' } });
    const next = desiredSections(config(), { ...pending, unreadable: ['gone'] }, new Map());
    expect(withKept(next, old)).toEqual([...old.values()]);
    expect(withKept(next, new Map()).map(({ service }) => service)).toEqual(['web']);
  });
});
