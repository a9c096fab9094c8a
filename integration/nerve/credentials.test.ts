import type { ZkPath } from '@smartstack/registry';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { observe, ready, startNerve } from './bed.ts';
import { freshPath, serviceAt, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();
const service = (path: ZkPath, extra: object): object => serviceAt(bed.address, path, extra);

describe('credentials', () => {
  it('register a node that only its owner may change, and withdraw it', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const nerve = await startNerve({
      main: { service_conf_dir: 'd' },
      files: { 'auth/nerve': 'digest:nerve:secret:with:colons\n' },
    });
    const file = join(nerve.folder, 'auth/nerve');
    nerve.write(
      'd/web.yaml',
      service(path, { zk_auth_file: file, zk_acl: ['auth::cdrwa', 'world:anyone:r'] }),
    );
    // The parent is there a moment before the node.
    const [name] = await eventually(
      async () => {
        const children = (await session.exists(path)) ? (await session.getChildren(path)).children : [];
        return children.length > 0 ? children : undefined;
      },
      { what: 'the service is registered' },
    );
    await ready(nerve);
    const node: ZkPath = `${path}/${name ?? ''}`;
    expect((await session.getData(node)).data.toString()).toContain('10.0.0.5');
    await expect(session.setData(node, Buffer.from('x'), -1)).rejects.toMatchObject({ kind: 'NoAuth' });
    // Nothing of the credentials shows.
    expect((await nerve.get('/status')).body + nerve.output).not.toContain('secret');
    await nerve.stop('SIGTERM');
    expect((await session.getChildren(path)).children).toEqual([]);
  });

  it('that cannot be read leave what runs as it is, and say so', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const nerve = await startNerve({
      main: { service_conf_dir: 'd' },
      files: { 'd/web.yaml': service(path, { weight: 1 }) },
    });
    await ready(nerve);
    nerve.write('d/web.yaml', service(path, { weight: 2, zk_auth_file: join(nerve.folder, 'missing') }));
    await eventually(async () => !(await nerve.status()).config.valid, { what: 'the error shows' });
    const { issues } = (await nerve.status()).config;
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatch(/^\/.*\/d\/web.yaml:1:\d+ zk_auth_file: ENOENT/);
    const [name] = (await session.getChildren(path)).children;
    expect((await session.getData(`${path}/${name ?? ''}`)).data.toString()).toContain('"weight":1');
  });
});
