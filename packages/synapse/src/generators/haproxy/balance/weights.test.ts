import { describe, expect, it } from 'vitest';
import { backendContext } from '../desired/backendContext.js';
import { aServer } from '../testing/sections.js';
import { steeredWeight, withRoom } from './weights.js';

const context = backendContext(['mode http'], []);
const weightsOf = (...weights: readonly (number | undefined)[]): readonly (number | undefined)[] =>
  withRoom(
    weights.map((weight, index) =>
      aServer(`s${index}`, { options: [], ...(weight !== undefined && { weight }) }),
    ),
    context,
  ).map(({ weight }) => weight);

describe('room for smaller weights', () => {
  it('scales by a power of two, up to 256', () => {
    expect(weightsOf(undefined, undefined)).toEqual([256, 256]);
    expect(weightsOf(10, 20)).toEqual([80, 160]);
    expect(weightsOf(100, 30)).toEqual([200, 60]);
    expect(weightsOf(256, 1)).toEqual([256, 1]);
    expect(weightsOf(0, 0)).toEqual([0, 0]);
  });

  it('takes weights from options and default-server, and says each once', () => {
    const [one, two] = withRoom(
      [aServer('a', { options: ['check', 'weight', '2'] }), aServer('b', { options: ['check'] })],
      backendContext(['mode http', 'default-server weight 4'], []),
    );
    expect(one).toMatchObject({ options: ['check'], weight: 128 });
    expect(two).toMatchObject({ options: ['check'], weight: 256 });
  });

  it('leaves scaled weights as they are, and the same servers the same', () => {
    const servers = [aServer('a', { options: [] }), aServer('b', { options: [] })];
    const once = withRoom(servers, context);
    expect(withRoom(servers, context)[0]).toBe(once[0]);
    expect(withRoom(once, context)[0]).toBe(once[0]);
  });

  it('leaves 1 of what takes requests, and 0 of what drains', () => {
    expect([steeredWeight(0, 0.5), steeredWeight(1, 0.01), steeredWeight(256, 0.01)]).toEqual([0, 1, 3]);
  });
});
