import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A certificate that is its own authority, and its key, in PEM. */
export interface SelfSigned {
  readonly certFile: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate for these alternative names (`DNS:web`); its files are gone when the test ends. */
export async function selfSigned(...names: readonly string[]): Promise<SelfSigned> {
  const dir = await mkdtemp(join(tmpdir(), 'nerve-cert-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const what = ['-subj', '/CN=test', '-addext', `subjectAltName=${names.join(',')}`];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', keyFile, '-out', certFile];
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...key, ...what, ...files], { stdio: 'ignore' });
  return { certFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}
