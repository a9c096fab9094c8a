import { describeError } from '@smartstack/agent';
import { isZooKeeperError } from '@smartstack/registry';

import type { Facts } from '../facts.js';
import { failed, passed, type Point, type Result, unknown, warning } from '../types.js';
import { probeEnsemble, type WriteProbe } from '../writeProbe.js';
import type { PathReading } from '../znodes.js';

const nowhere = (hosts: readonly string[]): string => hosts.join(',');

const session: Point<Facts> = {
  id: 'zookeeper-session',
  group: 'zookeeper',
  title: 'each ensemble gives a session',
  when: 'always',
  examine: async (facts) => {
    const { ensembles } = await facts.registry();
    const lost = ensembles.filter(({ problem }) => problem !== undefined);
    if (lost.length > 0)
      return failed(
        lost.map(({ hosts, problem = '' }) => `${nowhere(hosts)}: ${problem}`),
        'is it up, and in reach of this machine (nc -vz HOST PORT)? Credentials and TLS are under `zookeeper` in agent.yaml',
      );
    return passed(ensembles.map(({ server = '' }) => server).join(', '));
  },
};

/** Whoever has no session is told of once. */
const reached = ({ problem, isForbidden, exists }: PathReading): boolean =>
  problem === undefined || isForbidden || exists;

const paths: Point<Facts> = {
  id: 'zookeeper-paths',
  group: 'zookeeper',
  title: "the services' paths exist and can be read",
  when: 'always',
  examine: async (facts) => {
    const all = (await facts.registry()).paths;
    const lines = (some: readonly PathReading[], why: string): readonly string[] =>
      some.map(({ service, path, problem }) => `${service}: ${path}: ${problem ?? why}`);
    const broken = all.filter(({ problem, isForbidden }) => problem !== undefined && !isForbidden);
    const { ensembles } = await facts.registry();
    if (ensembles.every(({ problem }) => problem !== undefined))
      return unknown('there is no session to ask through');
    if (broken.length > 0)
      return failed(lines(broken, ''), 'the error says why; synapse goes on with what it knew before');
    const missing = all.filter(({ exists, problem }) => !exists && problem === undefined);
    if (missing.length > 0)
      return warning(
        lines(missing, 'there is no such znode'),
        'nobody has registered there yet: is nerve up on the machines of the service, and `path` the same as its `zk_path`?',
      );
    return passed(`${all.length} ${all.length === 1 ? 'path' : 'paths'}`);
  },
};

const acl: Point<Facts> = {
  id: 'zookeeper-acl',
  group: 'zookeeper',
  title: 'the ACLs let us read every registration',
  when: 'always',
  examine: async (facts) => {
    const all = (await facts.registry()).paths;
    const forbidden = all.flatMap(({ service, path, isForbidden, children }) => [
      ...(isForbidden ? [`${service}: ${path} may not be listed`] : []),
      ...children.filter((child) => child.isForbidden).map(({ name }) => `${service}: ${path}/${name}`),
    ]);
    if (forbidden.length > 0)
      return failed(
        forbidden.slice(0, 20),
        'give synapse credentials that may read (`zookeeper.auth` in agent.yaml), or have nerve grant it in `zk_acl`',
      );
    return all.some(reached) ? passed() : unknown('there is no session to ask through');
  },
};

/** Runs `judge` with what came of a znode that was created and deleted in each ensemble. */
function writing(judge: (probes: readonly WriteProbe[]) => Result): Point<Facts>['examine'] {
  return async (facts) => {
    const { ensembles, paths: watched } = await facts.registry();
    if (!facts.mayWrite) return unknown('it takes a znode to tell: give --write');
    const probes = await Promise.all(
      ensembles.map((ensemble) => facts.probe(ensemble, watched, probeEnsemble)),
    );
    const done = probes.filter((probe) => probe !== undefined);
    return done.length === 0 ? unknown('there is no session to ask through') : judge(done);
  };
}

const write: Point<Facts> = {
  id: 'zookeeper-write',
  group: 'zookeeper',
  title: 'a znode can be created and deleted',
  when: 'always',
  examine: writing((probes) => {
    const refused = probes.filter(({ error }) => isZooKeeperError(error, 'NoAuth'));
    const broken = probes.filter(({ error }) => error !== undefined && !isZooKeeperError(error, 'NoAuth'));
    const lines = (some: typeof probes): readonly string[] =>
      some.map(({ hosts, path, error }) => `${nowhere(hosts)}: ${path}: ${describeError(error)}`);
    if (broken.length > 0)
      return failed(
        lines(broken),
        'has the ensemble a quorum, and disk space? It may still answer who reads',
      );
    if (refused.length > 0)
      return warning(
        lines(refused),
        'fine for synapse, which only reads; nerve needs credentials that may create there',
      );
    return passed(probes.map(({ path }) => path).join(', '));
  }),
};

/** Beyond it, times in `why` and the drains' deadlines mislead, in milliseconds. */
const maxSkewMs = 2_000;

const clock: Point<Facts> = {
  id: 'zookeeper-clock',
  group: 'zookeeper',
  title: "this machine's clock and the servers' agree",
  when: 'always',
  examine: writing((probes) => {
    const skews = probes.flatMap(({ hosts, skewMs }) => (skewMs === undefined ? [] : [{ hosts, skewMs }]));
    if (skews.length === 0) return unknown('no znode could be created');
    const off = skews.filter(({ skewMs }) => Math.abs(skewMs) > maxSkewMs);
    if (off.length === 0)
      return passed(`within ${Math.max(...skews.map(({ skewMs }) => Math.abs(skewMs)))} ms`);
    return warning(
      off.map(
        ({ hosts, skewMs }) =>
          `${nowhere(hosts)} is ${Math.abs(skewMs / 1000).toFixed(1)} s ${skewMs > 0 ? 'ahead' : 'behind'}`,
      ),
      'run chrony or systemd-timesyncd on both. No route depends on it: the times that `synapse why` shows, and deadlines of drains, do',
    );
  }),
};

/** The registry itself. */
export const zookeeperPoints: readonly Point<Facts>[] = [session, paths, acl, write, clock];
