import { readFile } from 'node:fs/promises';
import { eventually } from '../harness/eventually.ts';
import { Prober } from './prober.ts';
import { between, costOf, type ProcessCost, residentMiB } from './processCost.ts';
import { type ScaleBed, serversUp } from './scaleBed.ts';
import { summarize } from './statistics.ts';
import { pause } from '../harness/pause.ts';

/** One size's figures, by what they are of. */
export type Figures = Map<string, number>;

const address = (net: number, index: number): string =>
  `127.${net}.${Math.floor(index / 250)}.${(index % 250) + 1}`;

/** The sum of a metric's samples whose labels match. */
async function metric({ vm }: ScaleBed, name: string, labels = /^/): Promise<number> {
  const { body } = await vm.admin('/metrics');
  const samples = body.matchAll(new RegExp(`^${name}(\\{.*\\})? (\\S+)$`, 'gm'));
  return [...samples].reduce((sum, [, own = '', value]) => (labels.test(own) ? sum + Number(value) : sum), 0);
}

const checks = (bed: ScaleBed): Promise<number> => metric(bed, 'smartstack_haproxy_config_check_total');

/** Waits until the file has not been checked for longer than it may wait for its turn. */
async function quiet(bed: ScaleBed): Promise<void> {
  let last = { checks: -1, since: performance.now() };
  await eventually(
    async () => {
      const now = await checks(bed);
      if (now !== last.checks) last = { checks: now, since: performance.now() };
      return performance.now() - last.since > 7_000;
    },
    { what: 'the file has followed', timeoutMs: 120_000, intervalMs: 500 },
  );
}

/** Runs `action`; returns what synapse has cost meanwhile. */
async function costing(bed: ScaleBed, action: () => Promise<unknown>): Promise<ProcessCost> {
  const before = await costOf(bed.vm.synapse.pid);
  await action();
  return between(before, await costOf(bed.vm.synapse.pid));
}

/** What synapse and HAProxy take when nothing happens. */
export async function measureIdle(bed: ScaleBed, figures: Figures): Promise<void> {
  await quiet(bed);
  const seconds = 20;
  const worker = await costOf(bed.worker);
  const { cpuMs, writtenBytes } = await costing(bed, () => pause(seconds * 1_000));
  figures.set('idle: synapse, ms of CPU per s', cpuMs / seconds);
  figures.set('idle: HAProxy, ms of CPU per s', between(worker, await costOf(bed.worker)).cpuMs / seconds);
  figures.set('idle: KiB written per s', writtenBytes / 1024 / seconds);
  figures.set('synapse, MiB resident', await residentMiB(bed.vm.synapse.pid));
}

/** Single changes, each to another service, with some quiet between two. */
export async function measureSingle(bed: ScaleBed, figures: Figures, rounds: number): Promise<void> {
  const [added, removed]: [number[], number[]] = [[], []];
  const commands = await metric(bed, 'smartstack_haproxy_runtime_command_total');
  const before = await checks(bed);
  const passes = await metric(bed, 'smartstack_reconcile_total');
  const cost = await costing(bed, async () => {
    for (let round = 0; round < rounds; round += 1) {
      const service = bed.services[(round * 37) % bed.services.length]!;
      const host = address(2, round);
      const prober = new Prober(bed.vm.ports[service]!);
      const change = async (action: () => Promise<unknown>, joined: boolean): Promise<number> => {
        const start = performance.now();
        const routed = prober.until(
          bed.serverName(host),
          start,
          (by) => by !== undefined && (by === 'joining') === joined,
        );
        const [, took] = await Promise.all([action(), routed]);
        await pause(300);
        return took;
      };
      let path: Awaited<ReturnType<typeof bed.register>> | undefined;
      added.push(await change(async () => (path = await bed.register(service, host)), true));
      removed.push(await change(() => bed.deregister(path!), false));
      prober.close();
    }
  });
  const changes = 2 * rounds;
  figures.set('single: registered -> served, median ms', summarize(added).median);
  figures.set('single: removed -> out of rotation, median ms', summarize(removed).median);
  figures.set('single: synapse, ms of CPU per change, file and idle included', cost.cpuMs / changes);
  figures.set('single: haproxy -c, ms of CPU per change', cost.childrenCpuMs / changes);
  figures.set('single: KiB written per change', cost.writtenBytes / 1024 / changes);
  figures.set(
    'single: runtime changes of HAProxy per change',
    ((await metric(bed, 'smartstack_haproxy_runtime_command_total')) - commands) / changes,
  );
  figures.set(
    'single: passes per change',
    ((await metric(bed, 'smartstack_reconcile_total')) - passes) / changes,
  );
  figures.set('single: checks of the file per change', ((await checks(bed)) - before) / changes);
}

/** From one change after quiet until the file has it. */
export async function measureFile(bed: ScaleBed, figures: Figures): Promise<void> {
  const times: number[] = [];
  const costs: ProcessCost[] = [];
  const { configFile } = bed.vm;
  for (let round = 0; round < 3; round += 1) {
    await quiet(bed);
    const host = address(4, round);
    const start = performance.now();
    const cost = await costing(bed, async () => {
      await bed.register(bed.services[0]!, host);
      await eventually(async () => (await readFile(configFile, 'utf8')).includes(bed.serverName(host)), {
        what: 'the file has the change',
        timeoutMs: 30_000,
        intervalMs: 20,
      });
      times.push(performance.now() - start);
      // What is known of it is written right behind it.
      await pause(1_000);
    });
    costs.push(cost);
  }
  const median = (of: (cost: ProcessCost) => number): number => summarize(costs.map(of)).median;
  figures.set('file: registered -> in the file, median ms', summarize(times).median);
  figures.set(
    'file: synapse, ms of CPU, change included',
    median(({ cpuMs }) => cpuMs),
  );
  figures.set(
    'file: haproxy -c, ms of CPU',
    median(({ childrenCpuMs }) => childrenCpuMs),
  );
  figures.set('file: KiB written', median(({ writtenBytes }) => writtenBytes) / 1024);
}

/** So many instances registered at once, then removed at once. */
export async function measureBurst(bed: ScaleBed, figures: Figures, count: number): Promise<void> {
  await quiet(bed);
  const all = await serversUp(bed.vm);
  const passes = (): Promise<number> => metric(bed, 'smartstack_reconcile_total');
  const acting = (): Promise<number> =>
    metric(bed, 'smartstack_reconcile_total', /outcome="(runtime|reload)"/);
  let paths: readonly Awaited<ReturnType<typeof bed.register>>[] = [];
  const burst = async (kind: string, action: () => Promise<unknown>, expected: number): Promise<void> => {
    const before = [await passes(), await acting()] as const;
    const start = performance.now();
    const { cpuMs } = await costing(bed, async () => {
      await action();
      figures.set(`burst ${kind}: ZooKeeper has them all, ms`, performance.now() - start);
      await eventually(async () => (await serversUp(bed.vm)) === expected, {
        what: `a burst is carried out (${kind})`,
        timeoutMs: 60_000,
        intervalMs: 50,
      });
    });
    figures.set(`burst ${kind}: HAProxy has them all, ms`, performance.now() - start);
    figures.set(`burst ${kind}: synapse, ms of CPU`, cpuMs);
    figures.set(`burst ${kind}: passes`, (await passes()) - before[0]);
    figures.set(`burst ${kind}: passes that changed something`, (await acting()) - before[1]);
    await quiet(bed);
  };
  const registerAll = async (): Promise<void> => {
    const one = (_: unknown, index: number) =>
      bed.register(bed.services[index % bed.services.length]!, address(3, index));
    paths = await Promise.all(Array.from({ length: count }, one));
  };
  await burst('added', registerAll, all + count);
  await burst('removed', () => Promise.all(paths.map((path) => bed.deregister(path))), all);
}

/** What whoever reads metrics and the status makes synapse do. */
export async function measureScrape(bed: ScaleBed, figures: Figures): Promise<void> {
  for (const path of ['/metrics', '/status']) {
    const times: number[] = [];
    const scrapes = 10;
    let bytes = 0;
    const { cpuMs } = await costing(bed, async () => {
      for (let i = 0; i < scrapes; i += 1) {
        const start = performance.now();
        bytes = (await bed.vm.admin(path)).body.length;
        times.push(performance.now() - start);
      }
    });
    figures.set(`${path}: median ms`, summarize(times).median);
    figures.set(`${path}: synapse, ms of CPU`, cpuMs / scrapes);
    figures.set(`${path}: KiB`, bytes / 1024);
  }
}
