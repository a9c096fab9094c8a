import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** The page, ready to be sent. */
export interface Page {
  readonly html: Uint8Array;
  readonly gzipped: Uint8Array;
  readonly etag: string;
  /** Of which scripts and styles the browser may run, by what they are. */
  readonly policy: string;
}

/** Beside the bundle; or beside the modules that it is made of, or their sources. */
const places = ['./dashboard.html', '../dashboard.html', '../../dist/dashboard.html'];

/** Reads the page that was built. Throws the error of the file system, ENOENT for one that was not built. */
export async function readPage(): Promise<Page> {
  let missing: unknown;
  for (const place of places) {
    try {
      return await pageOf(await readFile(new URL(place, import.meta.url), 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      missing = error;
    }
  }
  throw missing;
}

/** What is sent for this HTML. */
export async function pageOf(text: string): Promise<Page> {
  const html = Buffer.from(text);
  const gzipped = await promisify(gzip)(html, { level: 9 });
  const etag = `"${createHash('sha256').update(html).digest('base64url').slice(0, 22)}"`;
  return { html, gzipped, etag, policy: policyOf(text) };
}

/**
 * Only the scripts and styles that were built run, whatever a name that is shown contains; and nothing is asked of
 * anybody but the agent. Trusted Types make the browser refuse to make HTML of text.
 */
function policyOf(html: string): string {
  const hashes = (tag: 'script' | 'style'): string =>
    [...html.matchAll(new RegExp(`<${tag}\\b[^>]*>([^]*?)</${tag}>`, 'g'))]
      .map(([, content = '']) => `'sha256-${createHash('sha256').update(content).digest('base64')}'`)
      .join(' ');
  return [
    "default-src 'none'",
    `script-src ${hashes('script')}`,
    `style-src ${hashes('style')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}
