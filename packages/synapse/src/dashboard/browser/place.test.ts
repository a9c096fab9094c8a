import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOf, parsePlace, type Place, spans } from './place.js';

describe('a place', () => {
  it.each([
    ['', { view: 'services', span: 60 }],
    ['#/service/a%2Fb%20c', { view: 'service', service: 'a/b c', span: 600 }],
    ['#/service/', { view: 'services' }],
    ['#/service/%zz', { view: 'service', service: '%zz' }],
    ['#/topology', { view: 'topology' }],
    ['#/live', { view: 'live', service: '' }],
    ['#/live/a%2Fb?filter=%2Fx', { view: 'live', service: 'a/b', filter: '/x' }],
    ['#/nowhere?span=7&filter=x', { view: 'services', span: 60, filter: 'x' }],
    [
      '#/services?span=3600&sort=rps&down=1&trouble=1',
      { span: 3600, sort: 'rps', down: true, trouble: true },
    ],
  ])('%s', (hash, place) => expect(parsePlace(hash)).toMatchObject(place));

  it('is what its address says, whatever the service and the filter are', () => {
    fc.assert(
      fc.property(
        fc.record({
          view: fc.constantFrom('service', 'services', 'live'),
          service: fc.string({ minLength: 1, unit: 'grapheme' }),
          span: fc.constantFrom(...spans.map(([seconds]) => seconds)),
          filter: fc.string(),
          ...{ sort: fc.constantFrom('service', 'p99'), down: fc.boolean(), trouble: fc.boolean() },
          local: fc.boolean(),
        }),
        (made) => {
          const place = { ...made, service: made.view === 'services' ? '' : made.service } as Place;
          expect(parsePlace(addressOf(place))).toEqual(place);
        },
      ),
    );
  });
});
