import {
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  decodeRegistrationFile,
  encodeRegistrationFile,
  isFresh,
  isRegistrationFileName,
} from '@smartstack/registry';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startEtcd } from '../harness/etcd.ts';
import { eventually, holds } from '../harness/eventually.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { childrenOf, observe, ready, startNerve } from './bed.ts';
import { app, freshPath, serviceAt, tcp, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();

function folder(): string {
  const path = makeTempDir('files');
  onTestFinished(() => removeTempDir(path));
  return path;
}

const service = (directory: string, extra: object = {}): object => ({
  host: '10.0.0.5',
  port: 8080,
  check_interval: 0.1,
  reporter_type: 'file',
  file_directory: directory,
  file_ttl: 1,
  ...extra,
});

const read = (path: string) => decodeRegistrationFile(readFileSync(path));
const fresh = (path: string): boolean => isFresh(read(path), statSync(path).mtimeMs, Date.now());

describe('reporter_type: file', () => {
  it('writes one file for each service, renews it, and removes it', async () => {
    const directory = join(folder(), 'made', 'for', 'it');
    const server = await app();
    const services = {
      web: service(directory, { ...tcp(server.port), weight: 3, labels: { big: 1e20 } }),
      '../../etc/passwd': service(directory, { port: 8081 }),
    };
    const nerve = await startNerve({ main: { services } });
    await ready(nerve);
    expect(readdirSync(directory).toSorted()).toEqual([
      '%2E.%2F..%2Fetc%2Fpasswd@i-0abc.json',
      'web@i-0abc.json',
    ]);
    const file = join(directory, 'web@i-0abc.json');
    const { owner, ...content } = read(file);
    expect(owner).toMatch(/^[0-9a-f-]{36}$/);
    expect(content).toEqual({
      service: 'web',
      ttlSeconds: 1,
      instance: { host: '10.0.0.5', port: 8080, name: 'i-0abc', weight: 3, labels: { big: 1e20 } },
    });
    const written = statSync(file);
    await eventually(() => statSync(file).mtimeMs > written.mtimeMs, { what: 'it is renewed' });
    // The same file: a reader that looks at its content has nothing to do.
    expect(statSync(file).ino).toBe(written.ino);
    server.close();
    server.closeAllConnections();
    await eventually(() => !existsSync(file), { what: 'it is withdrawn' });
    await nerve.stop('SIGTERM');
    expect(readdirSync(directory)).toEqual([]);
  });

  it('mends what others do to its file, and follows no link out of the folder', async () => {
    const directory = folder();
    const target = join(folder(), 'precious');
    writeFileSync(target, 'precious');
    symlinkSync(target, join(directory, 'linked@i-0abc.json'));
    const services = { web: service(directory), linked: service(directory) };
    const nerve = await startNerve({ main: { services } });
    const file = join(directory, 'web@i-0abc.json');
    await eventually(() => fresh(file), { what: 'it is there' });
    writeFileSync(file, '{"service":');
    await eventually(() => read(file).service === 'web', { what: 'it is whole again' });
    expect((await nerve.get('/readyz')).body).toContain('linked is up, its registration pending');
    await nerve.stop('SIGTERM');
    expect(readFileSync(target, 'utf8')).toBe('precious');
    expect(readdirSync(directory)).toEqual(['linked@i-0abc.json']);
  });

  it('takes over what a killed nerve left, and removes what that had and it has not', async () => {
    const directory = folder();
    const first = await startNerve({
      main: { services: { web: service(directory), old: service(directory) } },
    });
    await ready(first);
    await first.stop('SIGKILL');
    const before = read(join(directory, 'web@i-0abc.json'));
    // Another machine's, long dead, and a file of an editor: not ours to touch.
    const theirs = join(directory, 'web@i-other.json');
    const data = encodeRegistrationFile({ ...before, instance: { ...before.instance, name: 'i-other' } });
    for (const path of [theirs, join(directory, 'old@i-0abc.json~')]) {
      writeFileSync(path, data);
      utimesSync(path, 1, 1);
    }
    await eventually(() => !fresh(join(directory, 'old@i-0abc.json')), {
      what: 'a reader knows that it is dead',
    });
    const second = await startNerve({ main: { services: { web: service(directory) } } });
    await ready(second);
    await eventually(() => !existsSync(join(directory, 'old@i-0abc.json')), { what: 'it is swept' });
    expect(read(join(directory, 'web@i-0abc.json')).owner).not.toBe(before.owner);
    expect(readdirSync(directory).filter((name) => !isRegistrationFileName(name))).toEqual([
      'old@i-0abc.json~',
    ]);
    expect(existsSync(theirs)).toBe(true);
  });

  it('lets a new nerve start beside the old one, which leaves the file to it', async () => {
    const directory = folder();
    const main = { services: { web: service(directory) } };
    const old = await startNerve({ main });
    await ready(old);
    const next = await startNerve({ main });
    await ready(next);
    const file = join(directory, 'web@i-0abc.json');
    const { owner } = read(file);
    await old.stop('SIGTERM');
    await holds(() => read(file).owner === owner, { what: 'the file is still the new one', forMs: 500 });
  });
});

describe('several reporters of one service', () => {
  it('each register it, whatever happens to another, and a change of the list leaves the others alone', async () => {
    const etcd = await startEtcd();
    onTestFinished(() => etcd.dispose());
    const [directory, path, global] = [folder(), freshPath(), freshPath()];
    const session = observe(bed.address);
    const inEtcd = { type: 'etcd', etcd_hosts: [etcd.address], etcd_path: '/web', etcd_ttl: 2 };
    const inFolder = { type: 'file', file_directory: directory, file_ttl: 1 };
    const elsewhere = { type: 'zookeeper', name: 'global', zk_hosts: [bed.address], zk_path: global };
    const web = (reporters: readonly object[]): object => serviceAt(bed.address, path, { reporters });
    const nerve = await startNerve({
      main: { service_conf_dir: 'd' },
      files: { 'd/web.json': web([inEtcd, inFolder, elsewhere]) },
    });
    await ready(nerve);
    const [[first], [second]] = [await childrenOf(session, path, 1), await childrenOf(session, global, 1)];
    const [key] = await etcd.keys('/web/');
    const file = join(directory, 'web@i-0abc.json');
    expect(key?.value).toBe(first?.data);
    expect(read(file).instance).toEqual(JSON.parse(first?.data ?? ''));

    await etcd.kill();
    await eventually(
      async () => {
        const { body } = await nerve.get('/metrics');
        expect(body).toContain('smartstack_reporter_registered{service="web",reporter="etcd"} 0');
        expect(body).toContain('smartstack_reporter_registered{service="web",reporter="global"} 1');
        return (await nerve.get('/readyz')).status === 503;
      },
      { what: 'the loss shows', timeoutMs: 10_000, intervalMs: 20 },
    );
    nerve.write('d/web.json', web([inEtcd, elsewhere]));
    await eventually(() => !existsSync(file), { what: 'what left the list goes', timeoutMs: 40_000 });
    nerve.write('d/web.json', { ...web([elsewhere]), weight: 5 });
    await eventually(async () => (await childrenOf(session, global, 1))[0]?.data.includes('"weight":5'), {
      what: 'the others take what is new',
    });
    expect((await childrenOf(session, path, 1))[0]?.path).toBe(first?.path);
    expect((await childrenOf(session, global, 1))[0]?.path).toBe(second?.path);
    await nerve.stop('SIGTERM');
    await childrenOf(session, path, 0);
    await childrenOf(session, global, 0);
  });

  it('needs no reporter beside the list', async () => {
    const directory = folder();
    const web = { host: '10.0.0.5', port: 1, reporters: [{ type: 'file', file_directory: directory }] };
    const nerve = await startNerve({ main: { services: { web } } });
    await ready(nerve);
    expect(readdirSync(directory)).toEqual(['web@i-0abc.json']);
  });
});
