import { type ConfigIssue, formatIssue } from '@smartstack/agent';

import { examined } from '../../examined.js';
import type { Facts } from '../facts.js';
import { failed, passed, type Point, type Result, warning } from '../types.js';

/** As many issues as people read. */
const shownIssues = 20;

function told(issues: readonly ConfigIssue[], hint: string, summary?: string): Result {
  const lines = issues.slice(0, shownIssues).map(formatIssue);
  if (issues.some(({ severity }) => severity === 'error')) return failed(lines, hint);
  return issues.length > 0 ? warning(lines, hint) : passed(summary);
}

const valid: Point<Facts> = {
  id: 'config-valid',
  group: 'config',
  title: 'the configuration can be read',
  when: 'always',
  examine: async (facts) => {
    const { configuration, issues } = await facts.loaded();
    const count = configuration?.services.size ?? 0;
    return told(
      issues,
      'each line names the place and what is expected there; docs/configuration.md has every key',
      `${count} ${count === 1 ? 'service' : 'services'}`,
    );
  },
};

const together: Point<Facts> = {
  id: 'config-services',
  group: 'config',
  title: 'no two services want the same address or name, and there are descriptors enough',
  when: 'always',
  examine: async (facts) => {
    const { configuration, settings } = await facts.configuration();
    const { generators, clock } = facts;
    const issues = await examined(configuration, { generators, clock }, settings);
    // The executable is a point of its own.
    const own = issues.filter(({ message }) => !message.includes(' -v does not run'));
    return told(own, 'of two services the one that came first has the address: give the other another port');
  },
};

/** What the files say, before anything runs. */
export const configPoints: readonly Point<Facts>[] = [valid, together];
