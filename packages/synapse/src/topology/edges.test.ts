import { describe, expect, it } from 'vitest';
import { edgeLifeMs, Edges } from './edges.js';
import type { Caller } from './types.js';

const user = (name: string): Caller => ({ name, identity: 'user' });
const host: Caller = { name: 'host:a', identity: 'host' };
const shown = (edges: Edges) => edges.list(0).map(({ caller, service }) => `${caller.name}>${service}`);
const always = () => true;

describe('edges', () => {
  it('know when they were seen first and last, on the wall clock', () => {
    const edges = new Edges();
    for (const now of [10, 20, 30]) edges.note(user('www'), 'web', now);
    expect(edges.list(1_000)).toEqual([
      { caller: user('www'), service: 'web', firstSeen: 1_010, lastSeen: 1_030 },
    ]);
  });

  it('go when they were not seen for a quarter of an hour, and with their service', () => {
    const edges = new Edges();
    edges.note(user('old'), 'web', 0);
    edges.note(user('new'), 'web', 1);
    edges.note(user('new'), 'gone', 1);
    edges.age(edgeLifeMs - 1, always);
    expect(shown(edges)).toHaveLength(3);
    edges.age(edgeLifeMs, (service) => service !== 'gone');
    expect(shown(edges)).toEqual(['new>web']);
    edges.age(edgeLifeMs + 1, always);
    expect(shown(edges)).toEqual([]);
  });

  it('of who is seen take the place of those of who stood in, and keep it', () => {
    const edges = new Edges();
    edges.note(host, 'web', 0);
    edges.note(host, 'api', 0);
    edges.note(user('www'), 'web', 1);
    edges.note(host, 'web', 2);
    expect(shown(edges)).toEqual(['host:a>api', 'www>web']);
    edges.age(edgeLifeMs + 1, always);
    edges.note(host, 'web', edgeLifeMs + 2);
    expect(shown(edges)).toEqual(['host:a>web']);
  });

  it('are a thousand at most: who was unseen longest goes', () => {
    const edges = new Edges();
    for (let index = 0; index < 1_000; index += 1) edges.note(user(`u${index}`), 'web', index);
    edges.note(user('u0'), 'web', 1_000);
    edges.note(user('more'), 'web', 1_001);
    const names = new Set(shown(edges));
    expect(names.size).toBe(1_000);
    expect([names.has('u0>web'), names.has('more>web'), names.has('u1>web')]).toEqual([true, true, false]);
    expect(edges.dropped).toBe(1);
  });
});
