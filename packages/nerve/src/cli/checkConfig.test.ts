import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configDir } from '../testing/configDir.js';
import { checkConfig } from './checkConfig.js';

async function check(files: Readonly<Record<string, string>>) {
  const dir = await configDir(files);
  const printed: string[] = [];
  const file = join(dir, 'nerve.yaml');
  const code = await checkConfig({ file, instanceId: undefined }, (stream, line) =>
    printed.push(`${stream}: ${line.replaceAll(`${dir}/`, '')}`),
  );
  return { code, printed };
}

describe('checkConfig', () => {
  it('says that a configuration is valid', async () => {
    expect(await check({ 'nerve.yaml': 'instance_id: i' })).toEqual({
      code: 0,
      printed: ['stdout: nerve.yaml: the configuration is valid, with 0 services'],
    });
  });

  it('prints each issue with its place, those of service files too', async () => {
    const { code, printed } = await check({
      'nerve.yaml': 'instance_id: i\nservice_conf_dir: d\nstop_timeout: 0\n',
      'd/web.yaml': 'port: x\n',
    });
    expect(code).toBe(1);
    expect(printed).toEqual([
      'stderr: nerve.yaml:3:15 stop_timeout: Too small: expected number to be >0',
      'stderr: d/web.yaml:1:1 host: Required: expected string',
      'stderr: d/web.yaml:1:1 zk_hosts: Required',
      'stderr: d/web.yaml:1:1 zk_path: Required',
      'stderr: d/web.yaml:1:7 port: expected a port from 1 to 65535',
      'stderr: nerve.yaml: 5 errors',
    ]);
  });
});
