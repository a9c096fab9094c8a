import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, formatIssue, systemClock } from '@smartstack/agent';
import { importModule } from '@smartstack/agent/importing';
import { describe, expect, it } from 'vitest';
import { createCheck } from '../checks/index.js';
import { probeWithin } from '../checks/deadline.js';
import { type Trace, TraceRecorder } from '../checks/trace.js';
import { PluginLoader } from '@smartstack/agent/plugins';
import { configDir } from '../testing/configDir.js';
import { loadConfig, type LoadedConfig } from './load.js';

const coffee = `
export default ({ defineCheck, z, values: { seconds, withDefault } }) =>
  defineCheck({
    type: 'coffee',
    options: { cups: z.number().int().min(1), timeout: withDefault(seconds, 0.5) },
    create: (options, { service, port }) => ({
      name: options.name ?? \`\${service} coffee\`,
      deadlineMs: options.timeout * 1000,
      probe: async () =>
        options.cups > 1 ? { ok: true } : { ok: false, reason: \`only \${options.cups} at \${port}\` },
    }),
  });
`;

const main = 'instance_id: i-0\nservice_conf_dir: d\n';
const service = (...checks: readonly string[]): string =>
  ['host: 127.0.0.1', 'port: 80', 'zk_hosts: [a:1]', 'zk_path: /a', 'checks:', ...checks].join('\n');
const check = (keys: string): string => `  - { type: coffee, ${keys} }`;

/** How often the time of a module was limited: once for each that is tried. */
let limits = 0;
const clock: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic(),
  sleep: (ms, signal) => systemClock.sleep(ms, signal),
  setTimeout: (callback, ms) => {
    limits += 1;
    return systemClock.setTimeout(callback, ms);
  },
};
/** A busy machine may take long for a good one. */
const patient = new PluginLoader({ clock, importModule, limitMs: 15_000 });
const hasty = new PluginLoader({ clock, importModule, limitMs: 1_500 });

async function load(dir: string, plugins = patient): Promise<LoadedConfig> {
  return await loadConfig({ file: join(dir, 'nerve.yaml'), plugins });
}

async function loadFiles(
  files: Readonly<Record<string, string>>,
  plugins = patient,
): Promise<LoadedConfig & { dir: string }> {
  const dir = await configDir({ 'nerve.yaml': main, ...files });
  return { ...(await load(dir, plugins)), dir };
}

const issues = ({ issues: found, dir }: LoadedConfig & { dir: string }): readonly string[] =>
  found.map((issue) => formatIssue(issue).replaceAll(`${dir}/`, ''));

async function probeFirst(loaded: LoadedConfig, name = 'web', trace?: Trace): Promise<unknown> {
  const [options] = loaded.services.get(name)?.checks ?? [];
  if (options === undefined) throw new Error('no check');
  const context = {
    ...{ clock: systemClock, service: name, host: '127.0.0.1', port: 80 },
    heartbeats: { last: () => undefined },
  };
  const made = createCheck(options, context);
  const never = new AbortController().signal;
  return { name: made.name, ...(await probeWithin(made, systemClock, never, trace)) };
}

describe('checks from modules', () => {
  it('are loaded from a path beside the file that names it', async () => {
    const loaded = await loadFiles({
      'd/web.yaml': service(check('module: ../checks/coffee.mjs, cups: 2')),
      'd/few.yaml': service(check('module: ../checks/coffee.mjs, cups: 1, name: morning, rise: 3')),
      'checks/coffee.mjs': coffee,
    });
    expect(issues(loaded)).toEqual([]);
    expect(await probeFirst(loaded)).toEqual({ name: 'web coffee', ok: true });
    expect(await probeFirst(loaded, 'few')).toEqual({ name: 'morning', ok: false, reason: 'only 1 at 80' });
    expect(loaded.services.get('few')?.checks).toMatchObject([{ rise: 3, fall: 1 }]);
  });

  it('tell nerve probe what they do, and nobody else', async () => {
    const told =
      '({ deadlineMs: 5000, probe: (signal, trace) => { trace.step("pour", "a cup"); trace.note("hot"); return { ok: true } } })';
    const loaded = await loadFiles({
      'd/web.yaml': service(check('module: ./coffee.mjs')),
      'd/coffee.mjs': `export const schema = { safeParse: (data) => ({ success: true, data }) };\nexport const create = () => ${told};\nexport default { schema, create };`,
    });
    expect(issues(loaded)).toEqual([]);
    expect(await probeFirst(loaded)).toMatchObject({ ok: true });
    const recorder = new TraceRecorder(systemClock);
    expect(await probeFirst(loaded, 'web', recorder)).toMatchObject({ ok: true });
    expect(recorder.finish({ ok: true })).toMatchObject([
      { step: 'module', detail: 'coffee' },
      { step: 'pour', detail: 'a cup, hot' },
    ]);
  });

  it.each([
    ['a package', '{"name":"nerve-coffee","type":"module","main":"check.js"}'],
    ['a package for ES modules only', '{"type":"module","exports":{".":{"import":"./check.js"}}}'],
  ])('are loaded from %s', async (_, manifest) => {
    const loaded = await loadFiles({
      'd/web.yaml': service(check('module: nerve-coffee, cups: 2')),
      'node_modules/nerve-coffee/package.json': manifest,
      'node_modules/nerve-coffee/check.js': coffee,
    });
    expect(issues(loaded)).toEqual([]);
    expect(await probeFirst(loaded)).toMatchObject({ ok: true });
  });

  it('have their options looked at by the module, with the place of what is wrong', async () => {
    const loaded = await loadFiles({
      'd/web.yaml': service(check('module: ./coffee.mjs, cups: 0, sugar: 1'), check('module: ./coffee.mjs')),
      'd/coffee.mjs': coffee,
    });
    expect(issues(loaded)).toEqual([
      'd/web.yaml:6:49 checks[0].cups: Too small: expected number to be >=1',
      'd/web.yaml:6:52 checks[0].sugar: Unknown key is ignored (warning)',
      'd/web.yaml:7:5 checks[1].cups: Required: expected number',
    ]);
    expect(loaded.broken).toEqual(new Set(['web']));
  });

  it.each([
    ['does not exist', undefined, /ENOENT/],
    ['throws', 'throw new Error("no beans")', /coffee\.mjs: no beans$/],
    ['cannot be parsed', 'export default {\n  a b\n}', /coffee\.mjs: Unexpected identifier/],
    ['ends the process', 'process.exit(0)', /ends its process while it is loaded/],
    ['waits for ever', 'await new Promise(() => setInterval(() => {}, 1000))', /not loaded within 1\.5 s/],
    ['blocks', 'for (;;);', /not loaded within 1\.5 s/],
    ['takes all memory', 'const all = []; for (;;) all.push(new Array(1e5).fill(all.length));', /memory/],
    ['exports a function that blocks', 'export default () => { for (;;); }', /makes nothing within 1\.5 s/],
    [
      'exports a function that blocks after a while',
      'export default async ({ z }) => { await z.string().parseAsync("a"); for (;;); }',
      /makes nothing within 1\.5 s/,
    ],
    ['exports a function that ends the process', 'export default () => process.exit(0)', /ends its process/],
    [
      'exports a function that takes all memory',
      'export default () => { const all = []; for (;;) all.push(new Array(1e5).fill(all.length)); }',
      /memory/,
    ],
    ['exports nothing', '', /default export is no check/],
    ['exports garbage', 'export default 7', /default export is no check/],
    ['exports a function that throws', 'export default () => { throw 1 }', /module: 1$/],
    ['imports what is not there', 'import "./beans.mjs"', /Cannot find module .*beans\.mjs/],
  ])('that come from a module that %s are an issue of their service', async (_, text, message) => {
    const files = {
      'd/web.yaml': service(check('module: ./coffee.mjs, cups: 2')),
      'd/other.yaml': service(),
      ...(text === undefined ? {} : { 'd/coffee.mjs': text }),
    };
    const loaded = await loadFiles(
      files,
      /loaded within|nothing within/.test(message.source) ? hasty : patient,
    );
    expect(issues(loaded)).toEqual([expect.stringMatching(message) as string]);
    expect(issues(loaded)[0]).toMatch(/^d\/web\.yaml:6:29 checks\[0\]\.module: /);
    expect([...loaded.services.keys()]).toEqual(['other']);
    expect(loaded.fatal).toEqual([]);
  });

  it('do not wait again for a module that hung', async () => {
    const files = { 'd/web.yaml': service(check('module: ./coffee.mjs')), 'd/coffee.mjs': 'for (;;);' };
    const { dir } = await loadFiles(files, hasty);
    const before = limits;
    expect((await load(dir, hasty)).broken.size).toBe(1);
    expect(limits).toBe(before);
  });

  it('that make nothing for ever are an issue of theirs, once, and hold up nothing else', async () => {
    const files = {
      'nerve.yaml': main,
      'd/web.yaml': service(check('module: ../coffee.mjs, cups: 2')),
      'd/other.yaml': service('  - { type: tcp }'),
      'coffee.mjs': 'export default () => new Promise(() => undefined);',
    };
    const loaded = await loadFiles(files, hasty);
    expect(loaded.issues.map(({ message }) => message)).toEqual([
      expect.stringContaining('what it exports makes nothing within 1.5 s') as string,
    ]);
    expect([...loaded.services.keys()]).toEqual(['other']);
    limits = 0;
    const again = await load(loaded.dir, hasty);
    expect(again.issues.map(({ message }) => message)).toEqual([
      expect.stringContaining('was not loaded within 1.5 s') as string,
    ]);
    expect(limits).toBe(0);
  });

  it.each(['NaN', '0', '-1', '1.5', 'Infinity', '"2"'])('may not want %s results in a row', async (rise) => {
    const module = `export default ({ z }) => ({ schema: z.any().transform(() => ({ rise: ${rise} })), create: () => ({}) });`;
    const files = {
      'nerve.yaml': main,
      'd/web.yaml': service(check('module: ../coffee.mjs')),
      'coffee.mjs': module,
    };
    const loaded = await loadFiles(files, patient);
    expect(loaded.issues.map(({ message }) => message)).toEqual([
      'rise and fall must be whole numbers from 1 to 1000',
    ]);
  });

  it('are loaded anew when the file has changed, and are the same otherwise', async () => {
    const first = await loadFiles({
      'd/web.yaml': service(check('module: ./coffee.mjs, cups: 1')),
      'd/coffee.mjs': coffee,
    });
    expect((await load(first.dir)).services).toEqual(first.services);
    await writeFile(join(first.dir, 'new'), coffee.replace('only', 'no more than'));
    await rename(join(first.dir, 'new'), join(first.dir, 'd/coffee.mjs'));
    const second = await load(first.dir);
    expect(second.services).not.toEqual(first.services);
    expect(await probeFirst(second)).toMatchObject({ reason: 'no more than 1 at 80' });
    await rm(join(first.dir, 'd/coffee.mjs'));
    // What was read before goes on.
    expect((await load(first.dir)).broken).toEqual(new Set(['web']));
    expect(await probeFirst(second)).toMatchObject({ reason: 'no more than 1 at 80' });
  });

  const made = (create: string): string =>
    `export default { schema: { safeParse: (data) => ({ success: true, data }) }, create: ${create} }`;
  it.each([
    ['throws when it is made', '() => { throw new Error("no beans") }', 'the module: no beans'],
    ['is none', '() => 7', 'the module: it makes no check: expected { name, deadlineMs, probe }'],
    [
      'throws when it is looked at',
      '() => ({ get probe() { throw new Error("no beans") } })',
      'the module: no beans',
    ],
    [
      'throws when asked for its time',
      '() => ({ probe() {}, get deadlineMs() { throw new Error("no") } })',
      'the module: no',
    ],
    ['throws', '() => ({ probe() { throw new Error("no\\nbeans") } })', 'no beans'],
    ['hangs', '() => ({ deadlineMs: 100, probe: () => new Promise(() => {}) })', 'no result within 0.1 s'],
    [
      'answers garbage',
      '() => ({ probe: () => "up" })',
      'the module answers neither { ok: true } nor { ok: false, reason }',
    ],
    ['tells too much', '() => ({ probe: () => ({ ok: false, reason: "x".repeat(1e6) }) })', 'x'.repeat(400)],
    ['gives no reason', '() => ({ probe: () => ({ ok: false }) })', 'without a reason'],
  ])('that %s fail, and nothing else does', async (_, create, reason) => {
    const loaded = await loadFiles({
      'd/web.yaml': service(check('module: ./coffee.mjs')),
      'd/coffee.mjs': made(create),
    });
    expect(issues(loaded)).toEqual([]);
    expect(await probeFirst(loaded)).toEqual({ name: 'web coffee', ok: false, reason });
  });

  it('are not asked for where nerve has the kind itself', async () => {
    const loaded = await loadFiles({
      'd/web.yaml': service('  - { type: noop, module: nerve-watcher-noop }'),
    });
    expect(issues(loaded)).toEqual(['d/web.yaml:6:19 checks[0].module: Unknown key is ignored (warning)']);
    expect(loaded.services.size).toBe(1);
  });

  it('need a module where nerve does not have the kind', async () => {
    const loaded = await loadFiles({ 'd/web.yaml': service(check('cups: 1')) });
    expect(issues(loaded)).toEqual([
      expect.stringMatching(
        /^d\/web.yaml:6:13 checks\[0\].type: Unknown type: expected http, .*, or a module$/,
      ),
    ]);
  });
});
