import { describeError } from '@smartstack/agent';
import { ApiError } from '@smartstack/agent/apiClient';

import type { Facts } from '../facts.js';
import { readPlan, readServers, readServices, readStatus } from '../answers.js';
import { failed, passed, type Point, unknown, warning } from '../types.js';

/** As many lines as people read. */
const shown = 20;
/** What is registered may be on its way; it is looked at once more after so many milliseconds. */
const patienceMs = 1_000;

const agent: Point<Facts> = {
  id: 'convergence-agent',
  group: 'convergence',
  title: 'the agent runs, and its last pass succeeded',
  when: 'running',
  examine: async (facts) => {
    try {
      const { version, generators } = readStatus(await facts.call('/status'));
      const behind = generators.filter(({ outcome }) => outcome === 'failed' || outcome === undefined);
      if (behind.length === 0) return passed(version);
      return failed(
        behind.map(({ generator, error }) => `${generator}: ${error ?? 'it made no pass yet'}`),
        'journalctl -u synapse has what failed; it is tried again with back-off',
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return failed(
        [describeError(error)],
        'systemctl status synapse; it listens where `admin.listen` in agent.yaml says, or give --address. Before it is started: --pre',
      );
    }
  },
};

const sources: Point<Facts> = {
  id: 'convergence-sources',
  group: 'convergence',
  title: 'the source of each service is live',
  when: 'running',
  examine: async (facts) => {
    const { services } = await facts.ask('/v1/services', readServices);
    const lost = services.filter(({ source }) => source === 'stale' || source === 'pending');
    if (lost.length > 0)
      return failed(
        lost
          .slice(0, shown)
          .map(({ service, source, staleMs }) =>
            source === 'stale'
              ? `${service}: lost for ${Math.round(staleMs / 1000)} s; its last instances serve`
              : `${service}: not read yet`,
          ),
        'synapse why SERVICE names the source and what it said',
      );
    const fallback = services.filter(({ source }) => source !== 'live');
    if (fallback.length === 0) return passed(`${services.length} live`);
    return warning(
      fallback
        .slice(0, shown)
        .map(({ service, source }) => `${service}: nobody is registered; the ${source} instances serve`),
      'is nerve up on the machines of the service? nerve status says why an instance is withdrawn',
    );
  },
};

const registrations: Point<Facts> = {
  id: 'convergence-registrations',
  group: 'convergence',
  title: 'the agent knows what is registered',
  when: 'running',
  examine: async (facts) => {
    const first = await differences(facts);
    if (typeof first === 'string') return unknown(first);
    if (first.length === 0) return passed();
    await facts.clock.sleep(patienceMs);
    const again = await differences(facts.anew());
    if (typeof again === 'string') return unknown(again);
    const lines = again.filter(({ service }) => first.some((before) => before.service === service));
    if (lines.length === 0) return passed('after a moment');
    return failed(
      lines.map(({ service, registered, known }) => `${service}: ${registered} registered, ${known} known`),
      'is it the same ensemble (hosts, chroot) and path that the agent watches? synapse why SERVICE',
    );
  },
};

/** Services of which the agent knows more or fewer registrations than there are; or why that cannot be told. */
async function differences(
  facts: Facts,
): Promise<readonly { service: string; registered: number; known: number }[] | string> {
  const { services } = await facts.ask('/v1/services', readServices);
  const paths = (await facts.registry()).paths.filter(
    ({ isOnly, problem }) => isOnly && problem === undefined,
  );
  if (paths.length === 0) return 'no path could be read that alone makes a service';
  return paths.flatMap(({ service, children }) => {
    const told = services.find((one) => one.service === service);
    const registered = children.filter(({ instance }) => instance !== undefined).length;
    const known = told === undefined ? 0 : told.discovered - told.held;
    return known === registered ? [] : [{ service, registered, known }];
  });
}

const plan: Point<Facts> = {
  id: 'convergence-plan',
  group: 'convergence',
  title: 'nothing is left to do',
  when: 'running',
  examine: async (facts) => {
    const first = await leftToDo(facts);
    if (first.length === 0) return passed();
    // It may be under way.
    await facts.clock.sleep(patienceMs);
    const again = (await leftToDo(facts.anew())).filter((line) => first.includes(line));
    if (again.length === 0) return passed('after a moment');
    return failed(again.slice(0, shown), 'synapse plan has the details. It may be under way: --wait 1m');
  },
};

async function leftToDo(facts: Facts): Promise<readonly string[]> {
  const { generators, waitingFor } = await facts.ask('/v1/plan', readPlan);
  const lines = generators.flatMap(({ generator, commands, reload, files }) => [
    ...commands.map(({ kind, target }) => `${generator}: ${kind} ${target}`),
    ...reload.map(({ detail }) => `${generator}: reload: ${detail}`),
    ...files.map(({ path }) => `${generator}: write ${path}`),
  ]);
  return [...waitingFor.map((service) => `it waits for ${service}`), ...lines];
}

const servers: Point<Facts> = {
  id: 'convergence-servers',
  group: 'convergence',
  title: 'every server that is wanted runs in the consumer, and takes traffic',
  when: 'running',
  examine: async (facts) => {
    const all = (await facts.ask('/v1/servers', readServers)).servers.filter(({ desired }) => desired);
    const absent = all.filter(({ running }) => !running);
    if (absent.length > 0)
      return failed(
        absent.slice(0, shown).map(({ service, server, reason }) => `${service}/${server}: ${reason ?? ''}`),
        'synapse why SERVICE/SERVER says at which step it stands',
      );
    const { services } = await facts.ask('/v1/services', readServices);
    const empty = services.filter(({ instances }) => instances === 0);
    if (empty.length > 0)
      return failed(
        empty
          .slice(0, shown)
          .map(({ service, reason }) => `${service}: ${reason ?? 'nobody is to serve it'}`),
        'nobody is registered, or all are left out (label_filters, leader_election): synapse why SERVICE',
      );
    const out = all.filter(({ takesTraffic }) => !takesTraffic);
    const names = [...new Set(all.map(({ service }) => service))];
    const dead = names.filter((name) => all.every((one) => one.service !== name || !one.takesTraffic));
    const lines = out
      .slice(0, shown)
      .map(({ service, server, state, reason }) => `${service}/${server}: ${reason ?? state}`);
    const hint = 'their health checks fail from here, or they are drained: synapse why SERVICE/SERVER';
    if (dead.length > 0)
      return failed([...dead.map((name) => `${name}: no server takes traffic`), ...lines], hint);
    return out.length > 0 ? warning(lines, hint) : passed(`${all.length}`);
  },
};

const file: Point<Facts> = {
  id: 'convergence-file',
  group: 'convergence',
  title: 'nothing is set aside: the file on disk has all that is wanted',
  when: 'running',
  examine: async (facts) => {
    const { generators } = await facts.ask('/status', readStatus);
    const problems = generators.flatMap(({ generator, details }) => [
      ...(details?.file?.problem === undefined ? [] : [`${generator}: ${details.file.problem}`]),
      ...(details?.quarantined ?? []).map((entry) => `${generator}: set aside: ${JSON.stringify(entry)}`),
    ]);
    if (problems.length === 0) return passed();
    return failed(
      problems.slice(0, shown),
      'the lines of that service are refused by its consumer: synapse lint says where they stand',
    );
  },
};

/** That what runs is what is wanted, and what is wanted is what is registered. */
export const convergencePoints: readonly Point<Facts>[] = [
  agent,
  sources,
  registrations,
  plan,
  servers,
  file,
];
