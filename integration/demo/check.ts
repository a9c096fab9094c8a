import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, holds } from '../harness/eventually.ts';
import { addInstance, type DemoConfiguration } from './configuration.ts';
import { ephemeralNodes, failedReloads, haproxyServers, isReady, reloads } from './observe.ts';
import type { DemoSystem } from './system.ts';
import type { Traffic } from './traffic.ts';

/** What the unattended check works with. */
export interface CheckOptions {
  readonly configuration: DemoConfiguration;
  readonly system: DemoSystem;
  /** By service, running. */
  readonly traffic: ReadonlyMap<string, Traffic>;
  readonly print: (line: string) => void;
}

const startMs = 30_000;
const changeMs = 30_000;

/** Waits until the services are reachable, before any traffic counts. Rejects when they never are. */
export async function awaitReady(configuration: DemoConfiguration, stop: AbortSignal): Promise<void> {
  await eventually(
    async () => {
      if (stop.aborted) return true;
      // HAProxy serves a moment before synapse has confirmed, and counted, its start.
      if (!(await isReady(configuration.synapseAdminPort))) return false;
      const servers = await haproxyServers(configuration.statsPort);
      return configuration.instances.every(({ service, port }) =>
        servers.get(service)?.get(port)?.status.startsWith('UP'),
      );
    },
    { what: 'every instance is up in HAProxy', timeoutMs: startMs, intervalMs: 20 },
  );
}

/** When something began, by `performance.now`. */
interface Step {
  readonly at: number;
  readonly what: string;
}

/** Throws when requests have failed, with the first of them and the step during which they were sent. */
function assertNoneFailed(traffic: CheckOptions['traffic'], steps: readonly Step[]): void {
  const seen = [...traffic].flatMap(([service, { tally }]) => {
    const rest = tally.failures - tally.firstFailures.length;
    const lines = tally.firstFailures.map(({ sentAt, failedAt, message }) => {
      const step = steps.findLast(({ at }) => at <= sentAt);
      const since = Math.round(sentAt - (step?.at ?? 0));
      const took = Math.round(failedAt - sentAt);
      return `${service}: ${message} (sent ${since} ms after: ${step?.what ?? 'the start'}; failed after ${took} ms)`;
    });
    return rest > 0 ? [...lines, `${service}: and ${rest} more`] : lines;
  });
  if (seen.length > 0) throw new Error(`requests failed:\n      ${seen.join('\n      ')}`);
}

/** The proof of `npm run demo -- --check`: what it saw goes to `print`; rejects at the first thing that is not so. */
export async function check({ configuration, system, traffic, print }: CheckOptions): Promise<void> {
  const { statsPort, synapseAdminPort, zookeeperPort, instances } = configuration;
  const attempts = async (): Promise<number> =>
    (await reloads(synapseAdminPort)) + (await failedReloads(synapseAdminPort));
  const attemptsBefore = await attempts();
  const answered = (service: string, instance: string): number =>
    traffic.get(service)?.tally.byInstance.get(instance) ?? 0;
  // How many there should be: what is there now may lack one whose check has just failed on a busy machine.
  let registered = instances.length;
  const steps: Step[] = [];
  const begin = (what: string): void => void steps.push({ at: performance.now(), what });
  const timed = async (what: string, condition: () => Promise<boolean> | boolean): Promise<void> => {
    const started = performance.now();
    await eventually(condition, { what, timeoutMs: changeMs });
    assertNoneFailed(traffic, steps);
    print(`ok    ${what} (${Math.round(performance.now() - started)} ms)`);
  };
  const inHaproxy = async (service: string, port: number): Promise<boolean> =>
    (await haproxyServers(statsPort)).get(service)?.get(port)?.status.startsWith('UP') ?? false;
  const leaves = async (service: string, name: string, how: NodeJS.Signals): Promise<void> => {
    const instance = instances.find((each) => each.name === name);
    if (instance === undefined) throw new Error(`config/services has no ${name}`);
    begin(`${how} to ${name}`);
    registered -= 1;
    const ended = system.instances.get(name)?.stop(how);
    await timed(`${name}, ended with ${how}, leaves ZooKeeper and HAProxy`, async () => {
      const gone = !(await inHaproxy(service, instance.port));
      return gone && (await ephemeralNodes(zookeeperPort)) === registered;
    });
    await ended;
    assertNoneFailed(traffic, steps);
  };
  const joins = async (service: string, name: string, like: string): Promise<void> => {
    begin(`the start of ${name}`);
    registered += 1;
    const added = await addInstance(configuration, name, like);
    system.startInstance(added);
    await timed(
      `${name}, started and given a file in services/, answers users`,
      () => answered(service, name) > 0,
    );
  };

  begin('the first request');
  for (const { name, service } of instances) {
    await timed(`${name} answers users of localhost:${configuration.frontends.get(service) ?? 0}`, () => {
      return answered(service, name) > 0;
    });
  }
  await leaves('web', 'web-2', 'SIGKILL');
  await joins('web', 'web-4', 'web-1');
  await leaves('echo', 'echo-2', 'SIGTERM');
  await joins('echo', 'echo-3', 'echo-1');
  begin('the removal of the file of web-4');
  registered -= 1;
  await rm(join(configuration.servicesFolder, 'web-4.yaml'));
  const beforeRemoval = answered('web', 'web-4');
  await timed('web-4, its file removed, gets no more requests', async () => {
    const servers = await haproxyServers(statsPort);
    return beforeRemoval > 0 && (servers.get('web')?.size ?? 0) === 2;
  });

  begin('SIGKILL to ZooKeeper');
  await system.zookeeper.kill();
  await holds(
    () => {
      assertNoneFailed(traffic, steps);
      return true;
    },
    { what: 'no request fails without ZooKeeper', forMs: 2_000 },
  );
  print('ok    ZooKeeper, killed, takes no route with it (2 s of traffic)');
  begin('the start of ZooKeeper');
  await system.zookeeper.start();
  await timed('everything is registered again after its return', async () => {
    return (await ephemeralNodes(zookeeperPort)) === registered;
  });

  for (const [service, { tally }] of traffic) {
    print(`      ${service}: ${tally.requests} requests, ${tally.failures} failed`);
  }
  assertNoneFailed(traffic, steps);
  const since = (await attempts()) - attemptsBefore;
  print(`      HAProxy: ${since} reloads since the services were up`);
  if (since > 0) throw new Error(`${since} reloads, where none was needed`);
}
