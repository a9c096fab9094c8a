import type { Facts } from '../facts.js';
import { failed, passed, type Point, type Result, unknown, warning } from '../types.js';
import type { ChildReading, PathReading } from '../znodes.js';

/** As many znodes as people read. */
const shown = 20;

/** A point that finds faults among the znodes, path by path. */
function among(
  find: (path: PathReading) => readonly string[],
  judge: (lines: readonly string[]) => Result,
): Point<Facts>['examine'] {
  return async (facts) => {
    const { paths } = await facts.registry();
    const read = paths.filter(({ problem }) => problem === undefined);
    if (read.length === 0) return unknown('no path could be read');
    const lines = read.flatMap((path) => find(path).map((line) => `${path.service}: ${line}`));
    const count = read.reduce((sum, { children }) => sum + children.length, 0);
    if (lines.length === 0) return passed(`${count} ${count === 1 ? 'znode' : 'znodes'}`);
    const more = lines.length - shown;
    return judge([...lines.slice(0, shown), ...(more > 0 ? [`and ${more} more`] : [])]);
  };
}

/** Services may nest: a node that holds others is a path, not an instance. */
const isRegistration = ({ stat }: ChildReading): boolean => (stat?.numChildren ?? 0) === 0;

const decoded: Point<Facts> = {
  id: 'registrations-decode',
  group: 'registrations',
  title: 'each znode can be understood',
  when: 'always',
  examine: among(
    ({ path, children }) =>
      children
        .filter(({ problem, isForbidden }) => problem !== undefined && !isForbidden)
        .map(({ name, problem = '' }) => `${path}/${name}: ${problem}`),
    (lines) =>
      failed(
        lines,
        'synapse leaves them out. Mend what writes them, set `decode` to their format, or delete them: zkCli.sh delete PATH',
      ),
  ),
};

const ports: Point<Facts> = {
  id: 'registrations-ports',
  group: 'registrations',
  title: 'ports are numbers',
  when: 'always',
  examine: among(
    ({ path, children }) =>
      children
        .filter(({ instance }) => instance?.portAsText === true)
        .map(({ name, instance }) => `${path}/${name}: the port "${instance?.port ?? ''}" is text`),
    (lines) =>
      warning(
        lines,
        'synapse takes it as the number; other readers may not. Take the quotes off `port` in the configuration of that nerve',
      ),
  ),
};

const duplicates: Point<Facts> = {
  id: 'registrations-duplicates',
  group: 'registrations',
  title: 'no host and port is registered twice for a service',
  when: 'always',
  examine: among(
    ({ children }) => {
      const names = new Map<string, string[]>();
      for (const { name, instance } of children) {
        if (instance === undefined) continue;
        const place = `${instance.host}:${instance.port}`;
        names.set(place, [...(names.get(place) ?? []), name]);
      }
      return [...names].flatMap(([place, all]) =>
        all.length > 1 ? [`${place} is registered as ${all.join(', ')}`] : [],
      );
    },
    (lines) =>
      warning(
        lines,
        'one server stands for all of them. Right after a crash of nerve the old znode goes with its session; else two nerves, or two entries of one, announce the same instance',
      ),
  ),
};

const orphans: Point<Facts> = {
  id: 'registrations-orphans',
  group: 'registrations',
  title: 'each znode belongs to a session, which takes it along when it ends',
  when: 'always',
  examine: among(
    ({ path, children }) =>
      children
        .filter((child) => child.stat?.ephemeralOwner === 0n && isRegistration(child))
        .map(({ name }) => `${path}/${name} is persistent`),
    (lines) =>
      warning(
        lines,
        'nothing withdraws them when their machine dies. Wanted with `node_type: persistent`; else left behind: zkCli.sh delete PATH',
      ),
  ),
};

/** What is registered. */
export const registrationPoints: readonly Point<Facts>[] = [decoded, ports, duplicates, orphans];
