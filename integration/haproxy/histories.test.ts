import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import {
  type GeneratorBed,
  instanceOf,
  serverLines,
  serversOf,
  type Services,
  startGenerator,
  topLevel,
  tested,
} from './bed.ts';

/** Small deterministic generator (mulberry32): a failing history can be run again from its seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe.runIf(tested.dynamicServers)('random histories', () => {
  let dir: string;
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let steady: Upstream;
  let ports: { readonly web: number; readonly api: number };
  let bed: GeneratorBed;
  /** With a state file vanished servers stay, in maintenance, as Ruby keeps them. */
  let stateFile: string | null = null;

  const start = (): GeneratorBed =>
    startGenerator(topLevel(dir, { use_nerve_weights: true, state_file_path: stateFile }), {
      observeAgainMs: 100,
      commandMs: 500,
    });

  beforeEach(async () => {
    dir = makeTempDir('his');
    ports = { web: await freePort(), api: await freePort() };
    upstreams = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.3.${n}` })),
    );
    steady = await startHttpUpstream({ identity: 'steady', host: '127.0.3.100' });
    const { global, defaults } = testBase(dir);
    const lines = [
      'global',
      ...global,
      'defaults',
      ...defaults,
      'listen idle',
      `bind 127.0.0.1:${await freePort()}`,
      '',
    ];
    haproxy = await startHaproxy({ dir, config: lines.join('\n') });
    stateFile = null;
    bed = start();
  });
  afterEach(async () => {
    await bed.stop();
    await haproxy.stop();
    await Promise.all([...upstreams, steady].map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  /** Some servers with some options and weights; the steady one is always there. */
  function someServices(random: () => number, withLines: boolean): Services {
    const pick = () =>
      upstreams
        .filter(() => random() < 0.5)
        .map((upstream) => {
          const options = random() < 0.2 ? { haproxyServerOptions: 'inter 3s' } : {};
          return instanceOf(upstream, { weight: 1 + Math.floor(random() * 50), ...options });
        });
    const backend = withLines && random() < 0.3 ? [`timeout server ${5 + Math.floor(random() * 3)}s`] : [];
    const first = instanceOf(steady, { weight: 1 });
    return {
      web: {
        instances: [first, ...pick()],
        haproxy: { port: ports.web, server_options: 'check inter 2s', backend },
      },
      api: { instances: [first, ...pick()], haproxy: { port: ports.api, backend_name: 'api-backend' } },
    };
  }

  function expected(services: Services, service: string): readonly string[] {
    return services[service]!.instances.map(
      ({ name, host, port, weight }) => `${name}_${host}:${port} ready ${weight}`,
    ).sort();
  }

  async function serving(backend: string): Promise<readonly string[]> {
    const servers = await serversOf(haproxy.adminSocket, backend);
    return stateFile === null ? servers : servers.filter((server) => !server.includes(' maint '));
  }

  async function expectConverged(services: Services): Promise<void> {
    // Reads back until slow removals are over; what is compared is HAProxy's own word.
    await eventually(
      async () => {
        await bed.settle(services);
        expect(await serving('web')).toEqual(expected(services, 'web'));
        expect(await serving('api-backend')).toEqual(expected(services, 'api'));
        return true;
      },
      { what: 'observed = desired', timeoutMs: 15_000 },
    );
    await eventually(
      async () =>
        (await serverLines(haproxy.configFile, 'web')).filter((line) => !line.endsWith(' disabled'))
          .length === services.web!.instances.length,
      { what: 'the file holds the same servers' },
    );
  }

  it.each([1, 2, 3])(
    'servers come, go and change, under load, without a failed request (seed %i)',
    async (seed) => {
      const random = randomFrom(seed);
      let services = someServices(random, true);
      await bed.settle(services);
      const load = startLoad({
        port: ports.web,
        clients: 6,
        connections: 'keep-alive',
        maxRequests: 100_000,
      });
      for (let step = 0; step < 25; step += 1) {
        services = someServices(random, step % 6 === 5);
        await bed.reconcile(services);
      }
      await expectConverged(services);
      const { failures } = await load.stop(200);
      expect(failures).toEqual([]);
    },
  );

  it.each([11, 12])('also when hands and faults interfere (seed %i)', async (seed) => {
    if (seed === 12) {
      await bed.stop();
      stateFile = `${dir}/state.json`;
      bed = start();
    }
    const random = randomFrom(seed);
    let services = someServices(random, true);
    await bed.settle(services);
    const faults: (() => Promise<void>)[] = [
      async () => {
        for (const [, line] of (await haproxy.ask('show servers state web')).split('\n').entries()) {
          const name = line.split(' ')[3];
          if (name?.startsWith('u') === true && random() < 0.4)
            await haproxy.ask(`set server web/${name} state maint`);
        }
      },
      async () => {
        await bed.stop();
        bed = start();
      },
      () => haproxy.reload(),
      async () => {
        await haproxy.kill();
        haproxy = await startHaproxy({ dir });
      },
      async () => {
        await haproxy.signalAll('SIGSTOP');
        await bed.reconcile(services).catch(() => undefined);
        await haproxy.signalAll('SIGCONT');
      },
    ];
    for (let step = 0; step < 20; step += 1) {
      services = someServices(random, step % 5 === 4);
      // A change and a fault at the same time, in any order.
      const change = bed.reconcile(services).catch(() => undefined);
      if (step % 2 === 1) await faults[Math.floor(random() * faults.length)]!();
      await change;
    }
    await expectConverged(services);
  });
});
