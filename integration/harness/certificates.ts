import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, as PEM files. */
interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** Both in one file, as ZooKeeper's key stores have it. */
  readonly bothFile: string;
}

/** An authority that signs certificates for one test. */
export interface Authority {
  readonly caFile: string;
  /** A certificate for 127.0.0.1 with the common name `name`; a new one at each call. */
  issue(name: string): Certificate;
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}

/** Makes an authority whose files are in `folder`, under names that begin with `name`. */
export function makeAuthority(folder: string, name: string): Authority {
  const at = (file: string): string => join(folder, `${name}-${file}`);
  const caFile = at('ca.pem');
  const newKey = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...newKey, '-keyout', at('ca.key'), '-out', caFile, '-subj', `/CN=${name}`);
  let issued = 0;
  return {
    caFile,
    issue(commonName) {
      issued += 1;
      const [keyFile, request, certFile, bothFile, extensions] = [
        ...['key', 'csr', 'pem', 'both.pem', 'ext'].map((kind) => at(`${commonName}-${issued}.${kind}`)),
      ] as [string, string, string, string, string];
      writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
      openssl('req', ...newKey, '-keyout', keyFile, '-out', request, '-subj', `/CN=${commonName}`);
      openssl(
        ...['x509', '-req', '-in', request, '-CA', caFile, '-CAkey', at('ca.key'), '-CAcreateserial'],
        ...['-days', '2', '-out', certFile, '-extfile', extensions],
      );
      writeFileSync(bothFile, readFileSync(keyFile, 'utf8') + readFileSync(certFile, 'utf8'));
      return { certFile, keyFile, bothFile };
    },
  };
}
