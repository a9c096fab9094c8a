import { describe, expect, it } from 'vitest';
import { entrancesOf, frontendsOf } from './entrances.js';
import type { DesiredState, ServiceSections } from './types.js';

const service = (name: string, lines?: readonly string[]): ServiceSections => ({
  service: name,
  ...(lines && { frontend: { title: `frontend ${name}`, lines } }),
  backend: { name, lines: [], servers: [] },
});

describe('entrances', () => {
  it('are the addresses on which the frontend of each service listens', () => {
    const desired: DesiredState = {
      base: [{ title: 'listen stats', lines: ['bind 127.0.0.1:3212'] }],
      services: [
        service('web', ['mode http', 'bind localhost:3213', 'bind [::]:80 v4v6', 'default_backend web']),
        service('api', ['bind /run/api.sock', 'bind unknown.example:80']),
        service('tier'),
      ],
      sharedFrontend: { title: 'frontend shared-frontend', lines: ['bind *:8080'] },
    };
    const own = { service: 'web', services: ['web'], frontend: 'web' };
    expect(entrancesOf(desired)).toEqual([
      { ...own, host: '127.0.0.1', port: 3213, bothFamilies: false },
      { ...own, host: '::', port: 80, bothFamilies: true },
      ...[{ service: undefined, services: [], frontend: 'shared-frontend' }].map((hall) => ({
        ...{ ...hall, host: '0.0.0.0', port: 8080, bothFamilies: false },
      })),
    ]);
    expect(entrancesOf(undefined)).toEqual([]);
  });

  const of = (shared: readonly string[], own: readonly string[] = []) =>
    frontendsOf({
      base: [],
      services: [
        service('web', ['bind :80', ...own, 'default_backend web']),
        { ...service('api'), backend: { name: 'api-backend', lines: [], servers: [] } },
        { ...service('web@zone'), backend: { name: 'web.zone', lines: [], servers: [] } },
      ],
      sharedFrontend: { title: 'frontend hall', lines: ['bind :8080', ...shared] },
    }).map(({ frontend, service: only, services }) => `${frontend}: ${only ?? '?'} ${services.join()}`);

  it.each<[string, readonly string[], readonly string[], readonly string[]]>([
    [
      'one of several',
      ['use_backend web if x', 'use_backend api-backend'],
      [],
      ['web: web web', 'hall: ? web,api'],
    ],
    ['one alone', ['use_backend api-backend if x'], [], ['web: web web', 'hall: api api']],
    ['any', ['use_backend %[hdr(host)]'], [], ['web: web web', 'hall: ? web,api']],
    [
      'what is no service',
      ['default_backend static'],
      ['use_backend static if x'],
      ['web: ? web', 'hall: ? '],
    ],
    ['a tier of its own', [], ['use_backend web.zone if x'], ['web: web web', 'hall: ? ']],
    ['another as well', [], ['use_backend api-backend if x'], ['web: ? api,web', 'hall: ? ']],
  ])('may lead to %s', (_, shared, own, expected) => expect(of(shared, own)).toEqual(expected));

  it('are not those that callers have for themselves', () => {
    const lines = [
      'bind :80',
      'option socket-stats',
      'bind :81 name caller-batch mode 660',
      'default_backend web',
    ];
    const [web] = frontendsOf({ base: [], services: [service('web', lines)] });
    expect([web?.binds.map(({ port }) => port), web?.callers]).toEqual([[80], ['batch']]);
  });
});
