import { AgentError, describeError } from '@smartstack/agent';

import type { GeneratorPoint } from '../generators/types.js';
import { viewOf } from '../viewOf.js';
import { type Facts, NotKnown } from './facts.js';
import { inOrder, isAsked, ownPoints } from './points/index.js';
import type { Group, Point, Result } from './types.js';

/** What came of a point, with all that is said of it. */
export interface Finding extends Result {
  readonly id: string;
  readonly group: Group;
  readonly title: string;
}

/** For one point, in milliseconds: the longest of them is `haproxy -c` on a large file. */
const pointMs = 40_000;

/** Examines all points, and tells `onFinding` of each in order, as soon as it is known. Never rejects for an expected failure. */
export async function examineAll(
  facts: Facts,
  beforeStart: boolean,
  onFinding: (finding: Finding) => void,
): Promise<readonly Finding[]> {
  const points = [...ownPoints, ...(await generatorPoints(facts))];
  const asked = inOrder(points).filter((point) => isAsked(point, beforeStart));
  // At once: most of them wait for somebody else.
  const under = asked.map((point) => {
    const result = examine(point, facts);
    // A bug is told when it is this point's turn.
    result.catch(() => undefined);
    return { point, result };
  });
  const findings: Finding[] = [];
  for (const { point, result } of under) {
    const { id, group, title } = point;
    const finding = { id, group, title, ...(await result) };
    onFinding(finding);
    findings.push(finding);
  }
  return findings;
}

/** Stands for whatever may register, so that a server's line can be tried. */
const anybody = { host: '127.0.0.1', port: 65_535, name: 'check' } as const;

async function generatorPoints(facts: Facts): Promise<readonly Point<Facts>[]> {
  const { configuration, settings } = await facts.loaded();
  if (configuration === undefined) return [];
  const names = [...configuration.services.keys()];
  const view = viewOf(configuration, new Map(names.map((name) => [name, [anybody]] as const)));
  const { location, traffic } = settings ?? {};
  const host = { ...(location && { location }), ...(traffic && { traffic }) };
  const found = [...configuration.main.generators].map(async ([generator, block]) => {
    const points: readonly GeneratorPoint[] = (await facts.generators.get(generator)?.points?.()) ?? [];
    const services = new Map(
      [...configuration.services].map(([name, { rules }]) => [name, rules.blocks[generator] ?? {}] as const),
    );
    const subject = { block, services, view, host, clock: facts.clock };
    return points.map((point): Point<Facts> => ({
      ...point,
      examine: (_facts, signal) => point.examine(subject, signal),
    }));
  });
  return (await Promise.all(found)).flat();
}

async function examine(point: Point<Facts>, facts: Facts): Promise<Result> {
  const late = new AbortController();
  let onLate = (): void => undefined;
  const hung = new Promise<Result>((resolve) => {
    onLate = () => {
      late.abort();
      resolve({
        outcome: 'failed',
        details: [`no end within ${pointMs / 1000} s`],
        hint: 'something hangs: the disk, a socket, the network?',
      });
    };
  });
  const timer = facts.clock.setTimeout(() => onLate(), pointMs);
  try {
    return await Promise.race([point.examine(facts, late.signal), hung]);
  } catch (error) {
    if (error instanceof NotKnown) return { outcome: 'unknown', summary: error.message };
    if (!(error instanceof AgentError)) throw error;
    return { outcome: 'failed', details: [describeError(error)], hint: 'the error says why' };
  } finally {
    timer.cancel();
  }
}
