import * as z from 'zod';

import type { BlockIssue } from '../catalog/types.js';
import { decideFor } from './decide.js';
import { defineResolver, type ResolverSource } from './types.js';

const usualPatience = 30;

const options = () =>
  z.object({
    method: z.literal('sequential'),
    sequential_order: z
      .array(z.string())
      .min(1)
      .describe('The names of all watchers; the first that has instances counts.'),
    sequential_patience: z
      .number()
      .min(0)
      .max(86_400)
      .optional()
      .describe('Seconds for which a watcher that lost its source still counts, before the next one does.')
      .meta({ default: usualPatience }),
  });

function knowsInstances({ snapshot }: ResolverSource): boolean {
  return snapshot.status !== 'pending' && snapshot.instances.length > 0;
}

/** Those that are only held for a while are nobody's word: another watcher goes before them. */
function vouches({ snapshot }: ResolverSource): boolean {
  return snapshot.status !== 'pending' && snapshot.instances.some(({ held }) => held !== true);
}

/** The first watcher that has instances and did not lose its source. */
export const sequentialResolver = defineResolver({
  method: 'sequential',
  options,
  check: ({ sequential_order: order }, watchers) => [
    ...order.flatMap((name, at): BlockIssue[] => {
      const path = ['sequential_order', at];
      if (!watchers.includes(name))
        return [{ path, message: `There is no watcher ${name}: ${watchers.join(', ')}`, severity: 'error' }];
      if (order.indexOf(name) < at) return [{ path, message: `${name} stands twice`, severity: 'error' }];
      return [];
    }),
    ...watchers
      .filter((name) => !order.includes(name))
      .map((name): BlockIssue => {
        const message = `The watcher ${name} has no place in the order: add it, or remove the watcher`;
        return { path: ['sequential_order'], message, severity: 'error' };
      }),
  ],
  first: ({ sequential_order: order }) => order[0],
  patienceMs: ({ sequential_patience: seconds }) => (seconds ?? usualPatience) * 1000,
  resolve: ({ sequential_order: order }, { sources }) => {
    const ordered = order.flatMap((name) => sources.filter((source) => source.name === name));
    for (const source of ordered) {
      const { status } = source.snapshot;
      if (status === 'pending' && source.waitedFor) return { kind: 'wait' };
      if ((status === 'live' || source.waitedFor) && vouches(source)) return decideFor(source);
    }
    // None of those that answer has any: what a lost one knew is better than nothing.
    const spoke = ordered.filter(({ snapshot }) => snapshot.status !== 'pending');
    const last = spoke.find(knowsInstances) ?? spoke.find(({ snapshot }) => snapshot.status === 'live');
    return decideFor(last ?? spoke[0]);
  },
});
