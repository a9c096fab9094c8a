import { backendContext, effectiveDefaults } from '../desired/backendContext.js';
import { splitWords } from '../desired/options.js';
import { isAgentDriven, isChecked } from '../plan/runtimeServer.js';
import type { DesiredState, Section, ServiceSections } from '../types.js';

/** How many file descriptors HAProxy will ask for when it loads a configuration. */
export interface DescriptorNeed {
  /** At least so many: what depends on the machine or on rare sections is not counted. */
  readonly count: number;
  /** Greater than that HAProxy does not let its own limit become (`fd-hard-limit`); Infinity without. */
  readonly ceiling: number;
  /** False with `no strict-limits`: then HAProxy warns, and starts all the same. */
  readonly isStrict: boolean;
}

/** HAProxy's own reserve (haproxy.c, `init`: "reserve 10 fds"). */
const reserve = 10;
/** `stats maxconn`, where a `stats socket` makes the frontend of the CLI (cli.c). */
const defaultCliConnections = 10;
/** What `maxconn` becomes at least when global does not say (DEFAULT_MAXCONN): HAProxy fits it to the limit. */
const leastConnections = 100;
/** The master's CLI: 10 connections, its socket, and the pair that leads to the worker (seen: -W -S). */
const masterCli = 12;
/** A pipe has two ends, and a connection two sides. */
const both = 2;
/** For each thread epoll and both ends of its wake-up pipe. */
const perThread = 3;

type Words = readonly string[];

function wordsOf(lines: readonly string[]): readonly Words[] {
  return lines.map((line) => splitWords(line.trim()));
}

/** The last number that a keyword has in these lines; 0 is as good as none. */
function lastNumber(lines: readonly Words[], ...keywords: readonly string[]): number | undefined {
  const line = lines.findLast((words) => keywords.every((keyword, index) => words[index] === keyword));
  const value = Number(line?.[keywords.length] ?? Number.NaN);
  return Number.isInteger(value) && value > 0 ? value : undefined;
}

function listeners(lines: readonly Words[]): number {
  return lines.reduce((count, [keyword, addresses = '']) => {
    if (keyword !== 'bind' || addresses === '') return count;
    const sizes = addresses.split(',').map((address) => {
      const [, first, last] = /:(\d{1,5})-(\d{1,5})$/.exec(address) ?? [];
      return first === undefined ? 1 : Math.max(Number(last) - Number(first) + 1, 0);
    });
    return count + sizes.reduce((sum, size) => sum + size, 0);
  }, 0);
}

/** Listeners, and servers whose line itself says `check`, of a section that is no service's. */
function ofSection({ title, lines }: Section): number {
  if (!/^(frontend|listen|backend)\s/.test(title)) return 0;
  const all = wordsOf(lines);
  const isDisabled = all.some(([keyword]) => keyword === 'disabled');
  const checked = all.filter(([keyword, ...rest]) => keyword === 'server' && rest.includes('check'));
  return listeners(all) + (isDisabled ? 0 : checked.length);
}

/** Sections are values, of which most outlive many changes of the others: each is counted once for the same defaults. */
const counted = new WeakMap<
  ServiceSections,
  { readonly defaults: readonly string[]; readonly count: number }
>();

function ofService(sections: ServiceSections, defaults: readonly string[]): number {
  const known = counted.get(sections);
  if (known?.defaults === defaults) return known.count;
  const count = countService(sections, defaults);
  counted.set(sections, { defaults, count });
  return count;
}

function countService({ frontend, backend }: ServiceSections, defaults: readonly string[]): number {
  const context = backendContext(defaults, backend.lines);
  const checks = context.disabled
    ? 0
    : backend.servers.reduce(
        (count, server) =>
          count + (isChecked(server, context) ? 1 : 0) + (isAgentDriven(server, context) ? 1 : 0),
        0,
      );
  return checks + listeners(wordsOf(frontend?.lines ?? []));
}

/**
 * What HAProxy computes as `maxsock` before it serves, and refuses to start or to reload without
 * (haproxy 2.6: haproxy.c `compute_ideal_maxsock` and `main`; check.c, cli.c, cfgparse-listen.c; seen in
 * `show info` of 2.6.12): two for each connection of `maxconn`, three for each thread, two for each pipe, one for
 * each address that it listens on and for each health or agent check of a server in the file. Servers that are
 * added at run time are not counted. `haproxy -c` does not look at any of it.
 */
export function descriptorNeed(
  { base, services, sharedFrontend }: DesiredState,
  hasMaster: boolean,
): DescriptorNeed {
  const global = wordsOf(base.flatMap(({ title, lines }) => (title.trim() === 'global' ? lines : [])));
  const sockets = global.filter(([first, second]) => first === 'stats' && second === 'socket').length;
  const cli = sockets === 0 ? 0 : sockets + (lastNumber(global, 'stats', 'maxconn') ?? defaultCliConnections);
  const connections = lastNumber(global, 'maxconn') ?? leastConnections;
  const defaults = effectiveDefaults(base);
  const sections = [...base, ...(sharedFrontend === undefined ? [] : [sharedFrontend])];
  const strictness = global.findLast((words) => words.includes('strict-limits'));
  return {
    count:
      reserve +
      cli +
      (hasMaster ? masterCli : 0) +
      both * connections +
      both * (lastNumber(global, 'maxpipes') ?? 0) +
      perThread * (lastNumber(global, 'nbthread') ?? 1) +
      sections.reduce((sum, section) => sum + ofSection(section), 0) +
      services.reduce((sum, service) => sum + ofService(service, defaults), 0),
    ceiling: lastNumber(global, 'fd-hard-limit') ?? Infinity,
    isStrict: strictness?.[0] !== 'no',
  };
}

/** Why this configuration cannot be loaded where `limit` descriptors may be open; undefined when it can, or nobody knows. */
export function descriptorProblem(need: DescriptorNeed, limit: number | undefined): string | undefined {
  const allowed = Math.min(limit ?? Infinity, need.ceiling);
  if (!need.isStrict || need.count <= allowed) return undefined;
  const cause = need.ceiling < (limit ?? Infinity) ? 'fd-hard-limit in global' : 'LimitNOFILE of its unit';
  return (
    `HAProxy needs at least ${need.count} file descriptors for this configuration and may open ${allowed}: ` +
    `raise ${cause} and restart HAProxy, or lower maxconn, or check fewer servers`
  );
}
