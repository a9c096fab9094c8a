import { formatIssue } from '@smartstack/agent';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configDir } from '../testing/configDir.js';
import { loadConfig } from './load.js';

/** What is said of a service with these checks, which begin at line 4 and column 9. */
async function issues(checks: string) {
  const web = `host: h\nport: 80\nzk_hosts: [z:1]\nchecks: ${checks}\nzk_path: /p\n`;
  const dir = await configDir({
    'nerve.yaml': `instance_id: i\nservice_conf_dir: services.d\n`,
    'services.d/web.yaml': web,
  });
  const { issues: found, broken } = await loadConfig({ file: join(dir, 'nerve.yaml') });
  const texts = found.map((issue) => formatIssue(issue).replaceAll(`${dir}/services.d/`, ''));
  return { texts, broken: [...broken] };
}

describe('readService', () => {
  it('refuses files of checks that are not there', async () => {
    const ca = '{type: http, uri: /, ssl: true, tls_verify: true, tls_ca_file: /no/such/ca.pem}';
    expect(await issues(`[{type: tcp}, ${ca}]`)).toEqual({
      texts: [expect.stringMatching(/^web.yaml:4:86 checks\[1\].tls_ca_file: ENOENT/)],
      broken: ['web'],
    });
  });

  it('refuses options of a check that do not go together', async () => {
    expect(await issues('[{type: http, uri: /, tls_verify: true}]')).toEqual({
      texts: ['web.yaml:4:43 checks[0].tls_verify: needs ssl: true'],
      broken: ['web'],
    });
  });

  it('warns of checks with the name of another', async () => {
    const named = '{type: tcp, name: a}';
    expect(await issues(`[${named}, {type: tcp}, {type: tcp}, ${named}]`)).toEqual({
      texts: [
        expect.stringMatching(
          /^web.yaml:4:76 checks\[3\].name: Another check has this name: this one is "a-2" in status and metrics; give it a name of its own/,
        ),
      ],
      broken: [],
    });
  });

  it('takes reporters beside the one of the service, or without it', async () => {
    const definitions = async (text: string) => {
      const dir = await configDir({
        'nerve.yaml': 'instance_id: i\nservice_conf_dir: d\n',
        'd/web.yaml': text,
      });
      const { issues: found, services } = await loadConfig({ file: join(dir, 'nerve.yaml') });
      return {
        texts: found.map((issue) => formatIssue(issue).replaceAll(`${dir}/d/`, '')),
        reporters: services.get('web')?.reporters.map(({ name, type, at }) => [name, type, ...at]),
      };
    };
    const head = 'host: h\nport: 80\n';
    const file = (path: string): string => `{type: file, file_directory: ${path}}`;
    expect(await definitions(`${head}reporters: [${file('/a')}, ${file('/b')}]`)).toEqual({
      texts: [],
      reporters: [
        ['file', 'file', 'reporters', 0],
        ['file-2', 'file', 'reporters', 1],
      ],
    });
    expect(
      await definitions(`${head}zk_hosts: z:1\nzk_path: /p\nreporters: [{type: etcd, etcd_host: e}]`),
    ).toMatchObject({
      reporters: [
        ['zookeeper', 'zookeeper'],
        ['etcd', 'etcd', 'reporters', 0],
      ],
    });
    // Half of a reporter is none.
    expect((await definitions(`${head}zk_path: /p\nreporters: [${file('/a')}]`)).texts).toEqual([
      'web.yaml:1:1 zk_hosts: Required',
    ]);
    expect((await definitions(`${head}reporter_type: file\n`)).texts).toEqual([
      'web.yaml:1:1 file_directory: Required',
    ]);
    expect(
      (await definitions(`${head}reporters: [${file('/a')}, ${file('/a/')}, {type: etcd}]`)).texts,
    ).toEqual([
      'web.yaml:3:54 reporters[1].type: Another reporter of the service publishes at the same place',
      'web.yaml:3:82 reporters[2].etcd_host: Required, or etcd_hosts',
    ]);
    expect((await definitions(`${head}reporters: [${file('a')}]`)).texts).toEqual([
      'web.yaml:3:42 reporters[0].file_directory: expected an absolute path',
    ]);
  });

  it('gives a key of etcd the time to live that the Ruby nerve gives it', async () => {
    const dir = await configDir({
      'nerve.yaml': 'instance_id: i\nservice_conf_dir: d\n',
      'd/web.yaml': 'host: h\nport: 80\nreporter_type: etcd\netcd_host: e\ncheck_interval: 0.5\n',
    });
    const { services } = await loadConfig({ file: join(dir, 'nerve.yaml') });
    expect(services.get('web')?.reporters[0]?.settings).toMatchObject({
      etcdHost: 'e',
      etcdPort: 4003,
      etcdPath: '/',
      etcdTtl: 3,
    });
  });
});
