import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { type Nerve, observe, ready, startNerve, tree } from './bed.ts';
import { app, freshPath, serviceAt, tcp, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();

/** Everything in a folder but what the running nerve touches by itself: names, contents, and when they were written. */
function photograph(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => `${file} ${statSync(file).mtimeMs} ${readFileSync(file, 'utf8')}`);
}

it('--shadow writes nothing anywhere, and tells what the other nerve has registered otherwise', async () => {
  const web = await app();
  const [path, state, registry] = [freshPath(), makeTempDir('nerve'), makeTempDir('nerve')];
  onTestFinished(() => [state, registry].forEach(removeTempDir));
  const prepared = join(state, 'prepared');
  const main = (weight: number, extra: object = {}): object => ({
    max_concurrent_checks: 10,
    services: {
      web: serviceAt(bed.address, path, { ...tcp(web.port), weight, labels: { az: 'a' } }),
      down: serviceAt(bed.address, path, { ...tcp(1), port: 81 }),
      drained: serviceAt(bed.address, path, { port: 82 }),
      folder: {
        ...{ host: '10.0.0.5', port: 83, reporter_type: 'file', file_directory: registry },
        // Nothing touches the file in the time of this test.
        ...{ check_interval: 0.1, file_ttl: 3600 },
      },
    },
    ...extra,
  });
  const env = { STATE_DIRECTORY: state };
  const session = observe(bed.address);
  const running = await startNerve({ main: main(5), env });
  await ready(running);
  writeFileSync(join(state, 'orders/drained.json'), '{"drain":{"reason":"disk"}}');
  const nodesOf = async (port: number): Promise<number> =>
    (await tree(session, path)).filter(({ data }) => data.includes(`"port":${port},`)).length;
  await eventually(async () => (await nodesOf(82)) === 0, { what: 'one is drained' });
  expect(await nodesOf(8080)).toBe(1);
  const zxid = async (): Promise<number> =>
    Number(/^Zxid: (0x[0-9a-f]+)$/m.exec(await bed.fourLetterWord('srvr'))?.[1]);
  const root = path.slice(0, path.lastIndexOf('/')) as typeof path;
  const nodes = await tree(session, root);
  const files = [photograph(state), photograph(registry)];
  const before = await zxid();
  expect(before).toBeGreaterThan(0);

  const hooks = {
    pre_available: { command: ['touch', prepared] },
    drain: { done_command: ['touch', prepared] },
  };
  const withHooks = (weight: number): object => {
    const { services } = main(weight) as { services: Record<string, object> };
    const all = Object.entries(services).map(([name, one]) => [name, { ...one, ...hooks }]);
    return main(weight, { services: Object.fromEntries(all) as object, heartbeat_path: join(state, 'beat') });
  };
  const shadow = await startNerve({ main: withHooks(5), env, args: ['--shadow'] });
  const registrations = async (nerve: Nerve): Promise<object> =>
    Object.fromEntries(
      (await nerve.status()).services.map(({ service, registration: { kind, error, place } }) => [
        service,
        error ?? place ?? kind,
      ]),
    );
  await ready(shadow);
  expect(await registrations(shadow)).toEqual({
    web: 'shadow: as it should be',
    down: 'absent',
    drained: 'absent',
    folder: 'shadow: as it should be',
  });
  // One session, and nothing else, is what ZooKeeper had to write down.
  expect(await zxid()).toBe(before + 1);

  const settings = { admin: { listen: `127.0.0.1:${shadow.admin}` }, instance_id: 'i-0abc' };
  shadow.write('nerve.yaml', { ...settings, ...withHooks(7) });
  const different = await eventually(
    async () => {
      const found = (await registrations(shadow)) as { web: string };
      return found.web.includes('would be as') ? found.web : undefined;
    },
    { what: 'the other weight shows', timeoutMs: 15_000 },
  );
  expect(different).toMatch(/^shadow: it is registered as .*"weight":5.*, and would be as .*"weight":7/);
  expect((await shadow.get('/readyz')).status).toBe(503);
  expect(await zxid()).toBe(before + 1);
  await shadow.stop('SIGTERM');
  expect(shadow.output).toContain('exiting nerve');
  // The end of its session.
  expect(await zxid()).toBe(before + 2);
  expect(await tree(session, root)).toEqual(nodes);
  expect([photograph(state), photograph(registry)]).toEqual(files);
  expect(existsSync(prepared)).toBe(false);
});
