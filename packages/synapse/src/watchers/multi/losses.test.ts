import { afterEach, describe, expect, it } from 'vitest';

import type { ResolverOptions } from '../../resolvers/index.js';
import { MultiBed } from '../../testing/multiBed.js';

let bed: MultiBed;
afterEach(async () => {
  await bed.stop();
  expect(bed.clock.pending).toBe(0);
});

describe("what Ruby's synapse makes of an emptied watcher", () => {
  const order: ResolverOptions = { method: 'sequential', sequential_order: ['a', 'b'] };

  // Trap 24: use_previous_backends is true unless told otherwise, and each watcher of Ruby's has its own.
  it('stays in a union while another one has instances (trap 24)', () => {
    bed = new MultiBed({ method: 'union' }, ['a', 'b'], { keeps: true });
    bed.live('a', 'x');
    bed.live('b', 'y');
    bed.live('a', '');
    expect(bed.last).toBe('live x y');
    expect(bed.snapshots.at(-1)?.parts?.[0]).toMatchObject({ name: 'a', instances: 0, previous: 1 });
    bed.live('b', '');
    // Of the service as a whole the catalog decides: default servers, or all that was known.
    expect(bed.last).toBe('live ');
    bed.live('a', 'z');
    expect(bed.last).toBe('live z y');
  });

  it('is believed where use_previous_backends is off', () => {
    bed = new MultiBed({ method: 'union' }, ['a', 'b']);
    bed.live('a', 'x');
    bed.live('b', 'y');
    bed.live('a', '');
    expect(bed.last).toBe('live y');
  });

  it('is left for the next one of a sequence in any case, and returned to', () => {
    bed = new MultiBed(order, ['a', 'b'], { keeps: true });
    bed.live('a', 'x');
    bed.live('b', 'y');
    bed.live('a', '');
    expect(bed.last).toBe('live y');
    bed.live('a', 'x');
    expect(bed.last).toBe('live x');
  });
});

describe('a mass loss', () => {
  it('of one watcher of a union is held, and let go once, when its time is over', async () => {
    bed = new MultiBed({ method: 'union' }, ['a', 'b'], { holds: true, keeps: true });
    bed.live('a', '1 2 3 4');
    bed.live('b', '5 6 7 8 9');
    bed.live('a', '1');
    expect(bed.last).toBe('live 1 2* 3* 4* 5 6 7 8 9');
    await bed.clock.advance(60_000);
    expect(bed.last).toBe('live 1 5 6 7 8 9');
  });

  it('of all watchers together is held where each alone is too small to tell', async () => {
    bed = new MultiBed({ method: 'union' }, ['a', 'b'], { holds: true, keeps: true });
    bed.live('a', '1 2 3');
    bed.live('b', '4 5 6');
    bed.live('a', '1');
    expect(bed.last).toBe('live 1 4 5 6');
    bed.live('b', '4');
    expect(bed.last).toBe('live 1 4 2* 3* 5* 6*');
    await bed.clock.advance(60_000);
    expect(bed.last).toBe('live 1 4');
  });

  it('is none where the resolver goes over to another watcher', () => {
    bed = new MultiBed({ method: 'sequential', sequential_order: ['a', 'b'] }, ['a', 'b'], {
      holds: true,
      keeps: true,
    });
    bed.live('a', '1 2 3 4');
    bed.live('b', '5');
    bed.live('a', '');
    expect(bed.last).toBe('live 5');
  });

  it('does not keep a sequence from a watcher whose instances are there', async () => {
    // Default servers stand beside the service: an emptied watcher is held for a time then.
    bed = new MultiBed({ method: 'sequential', sequential_order: ['a', 'b'] }, ['a', 'b'], { holds: true });
    bed.live('a', '1 2 3 4');
    bed.live('b', '');
    bed.live('a', '');
    expect(bed.last).toBe('live 1* 2* 3* 4*');
    bed.live('b', '5');
    expect(bed.last).toBe('live 5');
    await bed.clock.advance(60_000);
    expect(bed.last).toBe('live 5');
  });
});
