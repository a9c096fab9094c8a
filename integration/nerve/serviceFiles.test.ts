import type { ZkPath } from '@smartstack/registry';
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { children, childrenOf, observe, ready, startNerve } from './bed.ts';
import { freshPath, serviceAt, zooKeeperForAll } from './services.ts';

const server = zooKeeperForAll();
const service = (path: ZkPath, extra: object = {}): object => serviceAt(server.address, path, extra);

describe('a service file', () => {
  /** Steps as editors make them, each with what the definition says afterwards. */
  const editors: Readonly<Record<string, (dir: string, text: string) => void>> = {
    'writes in place, in two steps': (dir, text) => {
      const file = join(dir, 'web.yaml');
      writeFileSync(file, '');
      writeFileSync(file, text);
    },
    'moves the old one aside, as vim does': (dir, text) => {
      const file = join(dir, 'web.yaml');
      writeFileSync(join(dir, '4913'), '');
      rmSync(join(dir, '4913'));
      writeFileSync(join(dir, '.web.yaml.swp'), 'b0VIM');
      renameSync(file, `${file}~`);
      writeFileSync(file, text);
      rmSync(`${file}~`);
    },
    'locks it and renames over it, as Emacs does': (dir, text) => {
      symlinkSync('someone@host.1:2', join(dir, '.#web.yaml'));
      writeFileSync(join(dir, '#web.yaml#'), 'half');
      writeFileSync(join(dir, 'web.yaml.tmp'), text);
      renameSync(join(dir, 'web.yaml.tmp'), join(dir, 'web.yaml'));
      rmSync(join(dir, '.#web.yaml'));
      rmSync(join(dir, '#web.yaml#'));
    },
    'deletes it and writes it again': (dir, text) => {
      rmSync(join(dir, 'web.yaml'));
      writeFileSync(join(dir, 'web.yaml'), text);
    },
  };
  /** What makes a file useless, and what the status has to say about it. */
  const damages: Readonly<Record<string, readonly [(file: string) => void, RegExp]>> = {
    'is invalid': [(file) => writeFileSync(file, 'host: 10.0.0.5\nport: none\n'), /web\.yaml:2:7 port: /],
    'is no YAML': [(file) => writeFileSync(file, 'host: [\n'), /web\.yaml:\d+:\d+ /],
    'is empty': [(file) => writeFileSync(file, ''), /web\.yaml.* empty/],
    'may not be read': [(file) => chmodSync(file, 0), /web\.yaml.*No permission/],
    'is a folder': [
      (file) => {
        rmSync(file);
        mkdirSync(file);
      },
      /web\.yaml.*directory, not a file/,
    ],
    'points nowhere': [
      (file) => {
        rmSync(file);
        symlinkSync('nowhere', file);
      },
      /web\.yaml.*does not exist/,
    ],
  };

  it('that an editor writes counts; one that cannot be used leaves its service as it was, and all others alone', async () => {
    const [path, other] = [freshPath(), freshPath()];
    const session = observe(server.address);
    const nerve = await startNerve({
      main: { service_conf_dir: 'd' },
      files: { 'd/web.yaml': service(path, { weight: 1 }), 'd/other.yaml': service(other) },
      // The super-user may read everything unless that is taken away.
      wrapper: ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--'],
    });
    await ready(nerve);
    const dir = join(nerve.folder, 'd');
    const file = join(dir, 'web.yaml');
    const [untouched] = await childrenOf(session, other, 1);
    let weight = 1;
    const counts = async (what: string): Promise<void> => {
      await eventually(
        async () => {
          const found = await children(session, path);
          return found.length === 1 && found[0]?.data.includes(`"weight":${weight}`);
        },
        { what },
      );
      await eventually(async () => (await nerve.status()).config.issues.length === 0, {
        what: 'all is well',
      });
    };
    for (const [what, edit] of Object.entries(editors)) {
      edit(dir, JSON.stringify(service(path, { weight: (weight += 1) })));
      await counts(what);
    }
    for (const [what, [damage, expected]] of Object.entries(damages)) {
      const [before] = await childrenOf(session, path, 1);
      damage(file);
      await eventually(
        async () => (await nerve.status()).config.issues.some((issue) => expected.test(issue)),
        {
          what: `the status says that it ${what}`,
        },
      );
      expect((await nerve.status()).config.valid).toBe(false);
      expect(await children(session, path), what).toEqual([before]);
      expect((await nerve.status()).services.map(({ health }) => health)).toEqual(['up', 'up']);
      rmSync(file, { recursive: true });
      writeFileSync(file, JSON.stringify(service(path, { weight: (weight += 1) })));
      await counts(`what comes after a file that ${what}`);
    }
    rmSync(file);
    await childrenOf(session, path, 0);
    expect(await children(session, other)).toEqual([untouched]);
  });
});
