import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { liveQuery } from './liveQuery.js';

describe('the filter of the live view', () => {
  it.each([
    ['', ''],
    ['/api', 'path=%2Fapi'],
    ['*.png 5xx 404', 'path=*.png&status=5xx&status=404'],
    ['GET >50ms', 'method=GET&min_latency=0.050000'],
    ['>1.5s >20', 'min_latency=0.020000'],
    ['10.0.0.0/8', 'source=10.0.0.0%2F8'],
    ['::1', 'source=%3A%3A1'],
    ['web-1', 'server=web-1'],
  ])('%s', (filter, query) => {
    expect(liveQuery('', filter, 50)).toBe(query === '' ? 'max_rps=50' : `max_rps=50&${query}`);
  });

  it('names the service as it is, whatever it and the filter are', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (service, filter) => {
        const query = new URLSearchParams(liveQuery(service, filter, 50));
        expect(query.getAll('service')).toEqual([service]);
        expect(query.get('max_rps')).toBe('50');
      }),
    );
  });
});
