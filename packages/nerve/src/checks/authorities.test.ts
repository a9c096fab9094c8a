import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FakeClock } from '@smartstack/agent/testing';
import { Asked } from '../config/asked.js';
import { describe, expect, it, vi } from 'vitest';
import { selfSigned } from '../testing/certificates.js';
import { configDir } from '../testing/configDir.js';
import { Authorities, authoritiesProblems } from './authorities.js';

describe('Authorities', () => {
  it('takes a file that was replaced, after a while, and keeps what it has when that is of no use', async () => {
    const file = join(await configDir({}), 'ca.pem');
    const clock = new FakeClock();
    const authorities = new Authorities(file, clock);
    await expect(authorities.current()).rejects.toThrow(/ENOENT/);
    await writeFile(file, (await selfSigned('DNS:a')).cert);
    const first = await authorities.current();
    expect(await authorities.current()).toBe(first);

    await writeFile(file, 'half');
    await clock.advance(10_000);
    expect(await authorities.current()).toBe(first);
    await rm(file);
    await clock.advance(10_000);
    expect(await authorities.current()).toBe(first);

    await writeFile(file, (await selfSigned('DNS:b')).cert);
    await vi.waitFor(async () => {
      await clock.advance(10_000);
      expect(await authorities.current()).not.toBe(first);
    });
  });
});

describe('authoritiesProblems', () => {
  it('names the file and what is wrong with it', async () => {
    const problem = async (file: string): Promise<string | undefined> =>
      (await authoritiesProblems(file, new Asked()))[0]?.message;
    const { certFile } = await selfSigned('DNS:a');
    expect(await problem(certFile)).toBeUndefined();
    expect(await problem('/no/such/ca.pem')).toMatch(/ENOENT.*\/no\/such\/ca.pem/);
    const dir = await configDir({
      empty: '',
      bad: '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n',
    });
    expect(await problem(join(dir, 'empty'))).toContain(`${dir}/empty: no certificate in PEM`);
    expect(await problem(join(dir, 'bad'))).toContain(`${dir}/bad: no certificate in PEM`);
  });
});
