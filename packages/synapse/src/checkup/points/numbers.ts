import { stat } from 'node:fs/promises';

import type { TopologyAnswer, TopologyHost } from '../../topology/shapes.js';
import { readTopology } from '../answers.js';
import type { Facts } from '../facts.js';
import { failed, passed, type Point, type Result, unknown, warning } from '../types.js';

/** As many hosts of a reason, and as many reasons, as people read. */
const [namedHosts, shownReasons] = [5, 10];
/** What users may do who are neither the file's owner nor of its group. */
const others = 0o006;

/** What is wrong with the file of the key, by what anybody may know of it. */
async function keyProblems(file: string): Promise<readonly string[]> {
  try {
    const stats = await stat(file);
    if (!stats.isFile()) return [`${file}: it is no plain file`];
    return (stats.mode & others) === 0 ? [] : [`${file} is open to all users of this host`];
  } catch (error) {
    return [`${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`];
  }
}

/** Hosts that told nothing of now, by reason, the most frequent first. */
function missing(hosts: readonly TopologyHost[]): readonly string[] {
  const reasons = new Map<string, string[]>();
  for (const { instanceId, problem = '' } of hosts) {
    const known = reasons.get(problem);
    if (known) known.push(instanceId);
    else reasons.set(problem, [instanceId]);
  }
  return [...reasons]
    .sort(([, a], [, b]) => b.length - a.length)
    .slice(0, shownReasons)
    .map(([problem, names]) => {
      const more = names.length - namedHosts;
      const named = names.slice(0, namedHosts).join(', ') + (more > 0 ? ` and ${more} more` : '');
      return `${names.length} ${names.length === 1 ? 'host' : 'hosts'}: ${problem} (${named})`;
    });
}

const hints: readonly (readonly [problem: RegExp, hint: string])[] = [
  [/another key/, 'give all hosts the same key_file; while a key is exchanged both stand in it, a line each'],
  [/clock/, 'set the clocks right: they may be 30 s apart at most'],
  [
    /no answer within|no way there|nobody listens|closed/,
    'open the port of topology.numbers.listen between hosts',
  ],
  [/no network of ours/, 'topology.numbers.networks must hold the addresses of all hosts'],
];

/** What is to be said of what a fleet told, and of the key of this host. */
export function judgeNumbers(answer: TopologyAnswer, ofKey: readonly string[]): Result {
  const { fleet } = answer;
  if (fleet?.hasNumbers !== true)
    return failed(
      [...ofKey, 'the running agent asks no other host'],
      'it was started with other settings: restart synapse to have it read agent.yaml',
    );
  const own = [...new Set([...ofKey, ...(fleet.numbersProblems ?? [])])];
  const isUnusable = own.some((line) => !line.endsWith('open to all users of this host'));
  if (isUnusable)
    return failed(own, "the key must be readable for synapse's user, and listen an address of this host");
  const keyHint = 'chmod o= on it: who has the key may ask any host, and forge answers';
  if (fleet.readAt === undefined)
    return own.length > 0 ? warning(own, keyHint) : unknown('the fleet was not read yet');
  // Who has not to be asked, or has its turn later, is missing for no fault.
  const asked = answer.hosts.filter(
    ({ isThis, problem = '' }) => !isThis && !/^it (offers none|was not asked)/.test(problem),
  );
  const silent = asked.filter(({ problem }) => problem !== undefined);
  const told = `${asked.length - silent.length} of ${asked.length} other hosts told theirs`;
  if (silent.length === 0) return own.length > 0 ? warning(own, keyHint) : passed(told);
  const lines = [...own, told, ...missing(silent)];
  const hint = hints.find(([problem]) => lines.some((line) => problem.test(line)))?.[1];
  const way = hint ?? 'synapse edges says the same of each host; its own log says more';
  return silent.length * 2 > asked.length ? failed(lines, way) : warning(lines, way);
}

/** Whether hosts tell each other their numbers, where an operator wants that. */
export const numbersPoint: Point<Facts> = {
  id: 'observability-numbers',
  group: 'observability',
  title: 'other hosts tell their numbers, where they are asked for them',
  when: 'running',
  examine: async (facts) => {
    const { settings } = await facts.configuration();
    const wanted = settings.topology.mesh?.numbers;
    if (wanted === undefined) return passed('nobody is asked: topology.numbers is not set');
    const ofKey = await keyProblems(wanted.keyFile);
    return judgeNumbers(await facts.ask('/v1/topology?fleet=true', readTopology), ofKey);
  },
};
