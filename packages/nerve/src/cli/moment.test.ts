import { describe, expect, it } from 'vitest';
import { momentOf } from './moment.js';

describe('momentOf', () => {
  it.each([
    ['2030-01-31T12:00:00Z', Date.UTC(2030, 0, 31, 12)],
    ['2030-01-31t12:00z', Date.UTC(2030, 0, 31, 12)],
    ['2030-01-31T12:00:00.250+02:00', Date.UTC(2030, 0, 31, 10, 0, 0, 250)],
    ['2030-01-31 12:00-0130', Date.UTC(2030, 0, 31, 13, 30)],
    // This host's own time.
    ['2030-01-31T12:00', new Date(2030, 0, 31, 12).getTime()],
    ['2030-01-31', new Date(2030, 0, 31).getTime()],
    ['2028-02-29T12:00Z', Date.UTC(2028, 1, 29, 12)],
  ])('reads %s', (text, at) => {
    expect(momentOf(text)).toBe(at);
  });

  it.each([
    ...['', 'tomorrow', '10m', '12:00', '2030', '1893456000', 'foo 2030', '01/31/2030', '31.1.2030'],
    ...[
      '2030-02-30T00:00Z',
      '2030-13-01',
      '2030-01-31T25:00Z',
      '2030-01-31T12:60Z',
      '2030-01-31T12',
      '2030-00-00',
    ],
  ])('does not guess what %j means', (text) => {
    expect(momentOf(text)).toBeUndefined();
  });
});
