import { describe, expect, it } from 'vitest';
import { type NodeHolder, SharedNodes } from './sharedNodes.js';

function holder(acl?: NodeHolder['acl']): NodeHolder & { looks: number } {
  return {
    acl,
    looks: 0,
    look: function look() {
      this.looks += 1;
    },
  };
}

describe('SharedNodes', () => {
  it('leaves a node to the latest that holds it, and gives it back', () => {
    const shared = new SharedNodes();
    const [a, b] = [holder(), holder()];
    shared.hold('n', a);
    shared.hold('n', b);
    shared.hold('n', a);
    expect([shared.hasLater('n', a), shared.hasLater('n', b)]).toEqual([true, false]);
    expect([a, b].map((one) => shared.servesAnother('n', one))).toEqual([true, true]);
    shared.release('n', b);
    shared.release('n', b);
    expect([a.looks, b.looks, shared.hasLater('n', a), shared.servesAnother('n', a)]).toEqual([
      1,
      0,
      false,
      false,
    ]);
    shared.hold('n', b);
    shared.release('n', a);
    expect([b.looks, shared.isHeld('n')]).toEqual([0, true]);
    shared.release('n', b);
    expect(shared.isHeld('n')).toBe(false);
  });

  it('keeps no node for one that needs another list of who may do what', () => {
    const shared = new SharedNodes();
    const [open, closed] = [holder(), holder([{ scheme: 'auth', id: '', permissions: 'r' }])];
    shared.hold('n', open);
    shared.hold('n', closed);
    expect(shared.servesAnother('n', open)).toBe(false);
  });
});
