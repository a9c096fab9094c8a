import { describe, expect, it } from 'vitest';
import { entrancesOf } from './entrances.js';
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
    expect(entrancesOf(desired)).toEqual([
      { service: 'web', host: '127.0.0.1', port: 3213, bothFamilies: false },
      { service: 'web', host: '::', port: 80, bothFamilies: true },
    ]);
    expect(entrancesOf(undefined)).toEqual([]);
  });
});
