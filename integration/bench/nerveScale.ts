// Many services with http checks on one host: are their checks in time, and what do they cost?
// Usage: npm run bench:nerve [-- --services 1,100,1000 --interval 0.5 --seconds 30 --profile DIR]
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Child, startProcess } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startZooKeeper } from '../harness/zookeeper.ts';
import type { Checked } from './checkedProcess.ts';
import { between, costOf, residentMiB } from './processCost.ts';
import { pause } from '../harness/pause.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '1,100,1000' },
    interval: { type: 'string', default: '0.5' },
    seconds: { type: 'string', default: '30' },
    profile: { type: 'string' },
  },
});
const intervalSeconds = Number(values.interval);
const nerve = resolve(import.meta.dirname, '../../packages/nerve/bin/nerve.js');

/** The server that is checked; `stretch` tells what came since it was asked last. */
async function startChecked(): Promise<{ child: Child; port: number; stretch: () => Promise<Checked> }> {
  let take: (message: unknown) => void = () => undefined;
  const next = (): Promise<unknown> => new Promise((done) => (take = done));
  const file = join(import.meta.dirname, 'checkedProcess.ts');
  const node = ['--conditions=source', '--import', 'tsx', file, String(intervalSeconds * 1_000)];
  const port = next();
  const child = startProcess(process.execPath, node, { onMessage: (message) => take(message) });
  const stretch = async (): Promise<Checked> => {
    const answer = next();
    child.send('ask');
    return (await answer) as Checked;
  };
  return { child, port: (await port) as number, stretch };
}

/** One size: rows of the table. */
async function measure(count: number, zookeeper: string): Promise<void> {
  const folder = makeTempDir('nerve-scale');
  const { child, port, stretch } = await startChecked();
  const admin = await freePort();
  mkdirSync(join(folder, 'd'));
  for (let i = 0; i < count; i += 1) {
    const check = { type: 'http', uri: `/web-${i}`, host: '127.0.0.1', port, timeout: 2 };
    const service = {
      host: '10.0.0.5',
      port: 10_000 + i,
      zk_hosts: [zookeeper],
      zk_path: `/scale/${count}/web-${i}`,
    };
    const text = JSON.stringify({ ...service, check_interval: intervalSeconds, checks: [check] });
    writeFileSync(join(folder, 'd', `web-${i}.yaml`), text);
  }
  const main = { instance_id: 'i-0abc', service_conf_dir: 'd', admin: { listen: `127.0.0.1:${admin}` } };
  writeFileSync(join(folder, 'nerve.yaml'), JSON.stringify(main));
  const profile = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];
  const started = performance.now();
  const agent = startProcess(process.execPath, [...profile, nerve, '-c', join(folder, 'nerve.yaml')], {
    cwd: folder,
  });
  try {
    const ready = async (): Promise<boolean> =>
      (await fetch(`http://127.0.0.1:${admin}/readyz`)).status === 200;
    await eventually(ready, { what: 'all are registered', timeoutMs: 60_000, intervalMs: 20 });
    const readyMs = performance.now() - started;
    await pause(5_000);
    await stretch();
    const before = await costOf(agent.pid);
    const from = performance.now();
    await pause(Number(values.seconds) * 1_000);
    const { checks, late } = await stretch();
    const seconds = (performance.now() - from) / 1_000;
    const { cpuMs } = between(before, await costOf(agent.pid));
    const cells = [
      `${count} services`,
      readyMs.toFixed(0),
      (checks / seconds).toFixed(1),
      (count / intervalSeconds).toFixed(1),
      ...[late.p50, late.p99, late.max].map((ms) => ms.toFixed(1)),
      (cpuMs / seconds).toFixed(1),
      (await residentMiB(agent.pid)).toFixed(0),
    ];
    console.log(`| ${cells.join(' | ')} |`);
    const down = /smartstack_check_result_total\{[^}]*result="fail"\} [1-9]/;
    if (down.test(await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text())) process.exitCode = 1;
  } finally {
    await agent.stop('SIGTERM');
    await child.stop('SIGKILL');
    removeTempDir(folder);
  }
}

const zookeeper = await startZooKeeper();
try {
  const heads = [
    '',
    'registered after (ms)',
    'checks/s',
    'asked for',
    'late p50 (ms)',
    'p99',
    'max',
    'CPU (ms/s)',
    'RSS (MiB)',
  ];
  console.log(`| ${heads.join(' | ')} |\n| --- |${' ---: |'.repeat(heads.length - 1)}`);
  for (const count of values.services.split(',')) await measure(Number(count), zookeeper.address);
} finally {
  await zookeeper.dispose();
}
