// Each panel of config/grafana shows something of a system under load, which the real Prometheus scrapes.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { cleanUpAfterEach, onCleanUp } from '../discovery/bed.ts';
import { startProcess } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { newZooKeeper, startPair, userFile } from '../pair/bed.ts';

const boards = resolve(import.meta.dirname, '../../config/grafana');

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

/** What shows nothing while all is well, or of a service that speaks HTTP. */
const quiet = /held|> 0$|tcp_open_connections/;

type Ask = (expr: string) => Promise<readonly number[]>;

cleanUpAfterEach();

/** Both agents, HAProxy and a Prometheus that scrapes them, under load. */
async function startAll(): Promise<Ask> {
  const server = await newZooKeeper();
  await server.start();
  const { address } = server;
  const { host, vm } = await startPair({ nerve: address, synapse: address });
  // One reload, for a line that changed.
  const worker = await vm.worker();
  vm.service('web', userFile(address, 'web', vm.ports.web!, '  frontend: [maxconn 500]'));
  await eventually(async () => (await vm.worker()) !== worker, {
    what: 'HAProxy is reloaded',
    timeoutMs: 15_000,
  });
  await host.offer('web', 'c');
  await vm.serves('web', ['a', 'b', 'c']);
  const agent = parse(readFileSync(join(vm.folder, 'agent.yaml'), 'utf8')) as { admin: { listen: string } };
  const folder = makeTempDir('dashboards');
  onCleanUp(() => removeTempDir(folder));
  const port = await freePort();
  const targets = [agent.admin.listen, `127.0.0.1:${host.nerve.admin}`];
  const file = join(folder, 'prometheus.yml');
  const scrape = { job_name: 'smartstack', scrape_interval: '200ms', scrape_timeout: '200ms' };
  writeFileSync(file, stringify({ scrape_configs: [{ ...scrape, static_configs: [{ targets }] }] }));
  const prometheus = startProcess('prometheus', [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  onCleanUp(() => prometheus.stop());
  return async (expr) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expr)}`);
    const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
    return data.result.map(({ value }) => Number(value[1])).filter((value) => !Number.isNaN(value));
  };
}

it('every panel shows data, and what it shows is true', async () => {
  const ask = await startAll();
  for (const name of readdirSync(boards)) {
    const { panels } = JSON.parse(readFileSync(join(boards, name), 'utf8')) as { panels: readonly Panel[] };
    expect(panels.length).toBeGreaterThan(4);
    for (const { title, targets } of panels) {
      for (const { expr, legendFormat } of targets) {
        if (quiet.test(expr)) continue;
        const now = expr.replaceAll('$__rate_interval', '5s').replaceAll(/\$\w+/g, '.*');
        const shown = async (): Promise<boolean> => (await ask(now)).length > 0;
        const what = `${title} of ${name} (${legendFormat}) shows data: ${now}`;
        await eventually(shown, { what, timeoutMs: 20_000 });
      }
    }
  }
  // Nothing fails under this load.
  const rate = (classes: string): string =>
    `sum(rate(smartstack_response_total{classification=~"${classes}",dst_service="web"}[5s]))`;
  expect(await ask(`${rate('success')} / ${rate('success|failure')}`)).toEqual([1]);
});
