import { describe, expect, it } from 'vitest';
import { aService, aState } from '../testing/sections.js';
import type { DesiredState } from '../types.js';
import { withSeparateNames } from './frontendNames.js';

const titles = ({ services, sharedFrontend }: DesiredState): readonly (string | undefined)[] => [
  ...services.map(({ frontend }) => frontend?.title),
  ...(sharedFrontend === undefined ? [] : [sharedFrontend.title]),
];

describe('names that HAProxy 3.3 takes', () => {
  it("renames a frontend that is called as its own or another service's backend, and nothing else", () => {
    const web = aService([]);
    const api = aService([], { service: 'api' });
    const pool = { ...api, backend: { ...api.backend, name: 'pool' } };
    const other = { ...aService([], { service: 'x' }), backend: { ...api.backend, name: 'api' } };
    expect(titles(withSeparateNames(aState([web, pool])))).toEqual(['frontend web:in', 'frontend api']);
    expect(titles(withSeparateNames(aState([pool, other])))).toEqual(['frontend api:in', 'frontend x']);
    const separate = withSeparateNames(aState([web, pool]));
    expect(separate.services[0]?.backend).toEqual(web.backend);
    expect(separate.services[0]?.frontend?.lines).toEqual(web.frontend?.lines);
    // Twice is once.
    expect(withSeparateNames(separate)).toEqual(separate);
  });

  it('finds a name that nobody has', () => {
    const taken = aService([], { service: 'web:in' });
    expect(titles(withSeparateNames(aState([aService([]), taken])))).toEqual([
      'frontend web:in:in',
      'frontend web:in:in:in',
    ]);
  });

  it("renames the shared frontend, and leaves the operator's own sections", () => {
    const shared = aService([], { service: 'shared-frontend' });
    const state: DesiredState = {
      base: [{ title: 'listen stats', lines: [] }],
      services: [shared],
      sharedFrontend: { title: 'frontend shared-frontend', lines: [] },
    };
    const separate = withSeparateNames(state);
    expect(new Set(titles(separate)).size).toBe(2);
    expect(titles(separate)).not.toContain('frontend shared-frontend');
    expect(separate.base).toBe(state.base);
  });
});
