import { describe, expect, it } from 'vitest';

import type { TopologyAnswer, TopologyHost } from '../../topology/shapes.js';
import { judgeNumbers } from './numbers.js';

const host = (instanceId: string, problem?: string): TopologyHost => ({
  ...{ instanceId, isThis: false, services: [] },
  ...(problem !== undefined && { problem }),
});
const answerOf = (
  hosts: readonly TopologyHost[],
  fleet: Partial<NonNullable<TopologyAnswer['fleet']>> = {},
): TopologyAnswer => ({
  ...{ scope: 'fleet', now: 1, edges: [], notes: [], hasFleet: true },
  hosts: [{ instanceId: 'me', isThis: true, services: [] }, ...hosts],
  fleet: { readAt: 1, isStale: false, hasNumbers: true, ...fleet },
});
const judge = (
  hosts: readonly TopologyHost[],
  fleet?: Partial<NonNullable<TopologyAnswer['fleet']>>,
  ofKey: readonly string[] = [],
) => judgeNumbers(answerOf(hosts, fleet), ofKey);

const open = '/k is open to all users of this host';
const refuses = 'it refuses us: it has another key';

describe('whether hosts tell each other their numbers', () => {
  it('is so where all that are to be asked answer', () => {
    const some = [host('a'), host('b'), host('c', 'it offers none'), host('d', 'it was not asked yet')];
    expect(judge(some)).toEqual({ outcome: 'passed', summary: '2 of 2 other hosts told theirs' });
    expect(judge([])).toMatchObject({ outcome: 'passed', summary: '0 of 0 other hosts told theirs' });
  });

  it('is partly so where fewer than half do not, which are named by reason', () => {
    const some = [host('a'), host('b'), host('c', refuses), host('d'), host('e', 'no answer within 2 s')];
    expect(judge(some)).toEqual({
      outcome: 'warning',
      details: [
        '3 of 5 other hosts told theirs',
        `1 host: ${refuses} (c)`,
        '1 host: no answer within 2 s (e)',
      ],
      hint: expect.stringContaining('both stand in it') as string,
    });
  });

  it('is not so where more than half do not', () => {
    const many = Array.from({ length: 7 }, (_, index) => host(`h${index}`, refuses));
    const { outcome, details } = judge([host('a'), ...many]);
    expect(outcome).toBe('failed');
    expect(details).toEqual([
      '1 of 8 other hosts told theirs',
      `7 hosts: ${refuses} (h0, h1, h2, h3, h4 and 2 more)`,
    ]);
  });

  it.each([
    ['it refuses us: its clock and ours are 99 s apart', /clocks/],
    ['nobody listens there', /port/],
    ['9.9.9.9 is in no network of ours', /networks/],
    ['it answers 503', /synapse edges/],
  ])('has a way out: %s', (problem, hint) => {
    expect(judge([host('a', problem)]).hint).toMatch(hint);
  });

  it('is not so where this host cannot ask, nor where the agent was told otherwise', () => {
    const numbersProblems = ['/k cannot be used: EACCES'];
    const unusable = judge([host('a', 'our key file cannot be used: EACCES')], { numbersProblems });
    expect(unusable).toMatchObject({ outcome: 'failed', details: numbersProblems });
    expect(unusable.hint).toContain("readable for synapse's user");
    expect(judge([], {}, ['/k: ENOENT']).outcome).toBe('failed');
    expect(judge([], { hasNumbers: false }).hint).toContain('restart synapse');
  });

  it('is doubtful where others may read the key, which is said once', () => {
    const both = judge([host('a')], { numbersProblems: [open] }, [open]);
    expect(both).toMatchObject({ outcome: 'warning', details: [open] });
    expect(both.hint).toContain('chmod');
    expect(judge([], { readAt: undefined }, [open]).outcome).toBe('warning');
  });

  it('is not known before the fleet was read', () => {
    expect(judge([host('a', refuses)], { readAt: undefined })).toMatchObject({ outcome: 'unknown' });
  });
});
