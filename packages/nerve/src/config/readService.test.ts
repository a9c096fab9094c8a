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
});
