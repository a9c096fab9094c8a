// Part of npm run build: makes one file of each agent, which starts in a fraction of the time that its modules take.
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { cachePath } from '@smartstack/agent/start';
import { build, type BuildOptions } from 'esbuild';
import { clientFile, clients, leaveOut, narrow, started } from './bundlePlugins.ts';
import { dashboardPage } from './dashboard.ts';
import { licences } from './licences.ts';
import { warmUp } from './warmUp.ts';

const packages = resolve(import.meta.dirname, '../packages');

const shared: BuildOptions = {
  bundle: true,
  write: false,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  // Names stay, so that a stack trace can be read without a map; the lines are short enough to be looked up.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 120,
  legalComments: 'none',
  // hot-shots takes it for unix sockets, which are not used. AWS's are optional, and read when they are needed.
  external: ['unix-dgram', '@aws-sdk/*'],
  // The code of a bundle is a script, which knows require only.
  supported: { 'dynamic-import': false },
  define: { 'process.env.NODE_ENV': '"production"', 'import.meta.url': '__url' },
};

/** The text that esbuild makes of an entry point, in plain ASCII, and the files that went into it. */
async function textOf(
  entry: string,
  options: BuildOptions = {},
): Promise<{ text: string; inputs: string[] }> {
  const result = await build({ ...shared, ...options, entryPoints: [entry], metafile: true, write: false });
  // esbuild escapes what is code, but for regular expressions; it keeps comments as they are.
  const text = (result.outputFiles[0]?.text ?? '')
    .replaceAll(/^ *(\*|\/\/).*$/gm, (comment) => comment.replaceAll(/\P{ASCII}/gu, '?'))
    .replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  if (/\P{ASCII}/u.test(text)) throw new Error(`${entry}: the bundle is not plain ASCII`);
  return { text, inputs: Object.keys(result.metafile.inputs) };
}

/** Folders of modules that have a file each beside the bundle. */
const clientFolders = ['checks/clients', 'generators/template/clients', 'plugins/clients'];

/** Makes a file of each client: of an agent's checks, of its templates, and of what it hands to modules. Returns what went into them. */
async function bundleClients(folder: string): Promise<readonly string[]> {
  const inputs: string[] = [];
  for (const from of clientFolders.map((each) => join(folder, each))) {
    const files = (await readdir(from).catch(() => [])).filter((file) => file.endsWith('.js'));
    for (const file of files) {
      // What a client prints is not the agent's to say: mysql2 tells of each packet that it did not expect.
      const made = await textOf(join(from, file), {
        external: ['pg-cloudflare', 'cardinal'],
        drop: ['console'],
      });
      await writeFile(join(folder, clientFile(basename(file, '.js'))), made.text);
      inputs.push(...made.inputs);
    }
  }
  return inputs;
}

async function bundle(name: string): Promise<void> {
  const folder = join(packages, name, 'dist');
  for (const old of await readdir(folder)) if (old.endsWith('.cache')) await rm(join(folder, old));
  const start = await textOf(join(packages, 'agent/dist/startBundle.js'), { supported: {} });
  await writeFile(join(folder, 'start.cjs'), start.text);
  const { text, inputs } = await textOf(join(folder, 'main.js'), {
    plugins: [started, leaveOut, narrow, clients],
  });
  const head = '(function (exports, require, module, __filename, __dirname) {\n';
  const url = "const __url = require('node:url').pathToFileURL(__filename).href;\n";
  const body = `${head}${url}${text}\n})`;
  const id = createHash('sha256').update(body).digest('hex').slice(0, 16);
  const file = join(folder, `${name}.cjs`);
  await writeFile(file, `// ${id}\n${body}\n`);
  await writeFile(
    join(folder, 'LICENSES.txt'),
    await licences([...inputs, ...(await bundleClients(folder))]),
  );
  await warmUp(name, join(folder, 'start.cjs'), file, cachePath(file, await readFile(file, 'latin1')));
}

for (const name of ['nerve', 'synapse']) await bundle(name);
await writeFile(join(packages, 'synapse/dist/dashboard.html'), await dashboardPage());
