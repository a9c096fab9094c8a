import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const source = resolve(import.meta.dirname, '../packages/synapse/src/dashboard/browser');

/** Makes one HTML file of the dashboard, with its script and style within. */
export async function dashboardPage(): Promise<string> {
  const [script, style, page] = await Promise.all([
    packed('main.ts'),
    packed('style.css'),
    readFile(join(source, 'index.html'), 'utf8'),
  ]);
  if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) {
    throw new Error('the dashboard would end its own script or style');
  }
  return page
    .replaceAll(/>\s+</g, '><')
    .replace('<style></style>', () => `<style>${style}</style>`)
    .replace('<script></script>', () => `<script type="module">${script}</script>`);
}

/** What esbuild makes of an entry point, in ASCII, for the browsers of the last three years. */
async function packed(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(source, file)],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    platform: 'browser',
    charset: 'ascii',
    target: ['chrome114', 'firefox115', 'safari16.4'],
    legalComments: 'none',
    logLevel: 'warning',
  });
  return (outputFiles[0]?.text ?? '').trim();
}
