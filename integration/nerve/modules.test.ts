import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { type Nerve, ready, startNerve } from './bed.ts';
import { freshPath, serviceAt, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();
const built = resolve(import.meta.dirname, '../../packages/nerve');

/** What an installed nerve consists of, elsewhere: without any package beside it. */
function installed(): string {
  const folder = makeTempDir('installed');
  onTestFinished(() => removeTempDir(folder));
  cpSync(join(built, 'bin'), join(folder, 'bin'), { recursive: true });
  cpSync(join(built, 'dist'), join(folder, 'dist'), {
    recursive: true,
    filter: (path) => path.endsWith('dist') || /\.(cjs|cache)$/.test(path),
  });
  return join(folder, 'bin/nerve.js');
}

const answering = (reason: string): string => `
export default ({ defineCheck, z }) =>
  defineCheck({
    type: 'coffee',
    options: { cups: z.number() },
    create: (options) => ({
      name: 'coffee',
      deadlineMs: 500,
      probe: async () => (options.cups > 1 ? { ok: true } : { ok: false, reason: '${reason}' }),
    }),
  });
`;

const reasons = async (nerve: Nerve): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(
    (await nerve.status()).services.map(({ service, health, reason }) => [service, reason ?? health]),
  );

describe('an installed nerve', () => {
  it('loads checks from modules, and each version of them once', async () => {
    const service = (keys: object): object =>
      serviceAt(bed.address, freshPath(), { checks: [{ type: 'coffee', module: '../coffee.mjs', ...keys }] });
    const nerve = await startNerve({
      program: installed(),
      main: { service_conf_dir: 'd' },
      files: {
        'coffee.mjs': answering('none left'),
        'd/few.json': service({ cups: 1 }),
        'd/many.json': service({ cups: 2 }),
        'd/wrong.json': service({ cups: 'two' }),
      },
    });
    await ready(nerve);
    expect(await reasons(nerve)).toEqual({ few: 'coffee: none left', many: 'up' });
    expect((await nerve.status()).config.issues).toEqual([
      expect.stringMatching(/\/d\/wrong\.json:1:\d+ checks\[0\]\.cups: Invalid input/) as string,
    ]);
    nerve.write('coffee.mjs', answering('none whatsoever'));
    nerve.signal('SIGHUP');
    await eventually(async () => (await reasons(nerve)).few === 'coffee: none whatsoever', {
      what: 'the new version is used',
    });
    nerve.write('coffee.mjs', 'throw new Error("no beans");');
    nerve.signal('SIGHUP');
    await eventually(async () => (await nerve.status()).config.issues.length === 3, {
      what: 'a version that throws is reported',
    });
    // What ran goes on.
    expect(await reasons(nerve)).toEqual({ few: 'coffee: none whatsoever', many: 'up' });
    expect(nerve.output).toContain('coffee.mjs: no beans');
  });

  it('registers with reporters from modules, beside its own, and hands over to each version of them', async () => {
    const board = makeTempDir('board');
    onTestFinished(() => removeTempDir(board));
    const writing = (version: number): string => `
import { rm, writeFile } from 'node:fs/promises';
export default ({ defineReporter, z, values: { absolutePath } }) =>
  defineReporter({
    type: 'board',
    options: { board: absolutePath },
    place: ({ board }) => board,
    create: ({ board }, { service }) => ({
      carry: async (wanted) => {
        const file = board + '/' + service;
        if (wanted === undefined) return rm(file, { force: true });
        await writeFile(file, '${version} ' + wanted.data);
        return file;
      },
    }),
  });
`;
    const keys = { reporters: [{ type: 'board', module: '../board.mjs', board }] };
    const nerve = await startNerve({
      program: installed(),
      main: { service_conf_dir: 'd' },
      files: { 'board.mjs': writing(1), 'd/web.json': serviceAt(bed.address, freshPath(), keys) },
    });
    await ready(nerve);
    const written = (): string => readFileSync(join(board, 'web'), 'utf8');
    expect(written()).toMatch(/^1 \{"host":"/);
    nerve.write('board.mjs', writing(2));
    nerve.signal('SIGHUP');
    await eventually(() => written().startsWith('2 {'), { what: 'the new version has taken over' });
    await nerve.stop();
    expect(existsSync(join(board, 'web'))).toBe(false);
  });

  it('has the clients of all protocols with it', async () => {
    const port = await freePort();
    const types = ['redis', 'rabbitmq', 'postgres', 'mysql', 'grpc'];
    const services = types.map((type) => [
      type,
      serviceAt(bed.address, freshPath(), { checks: [{ type, host: '127.0.0.1', port, timeout: 3 }] }),
    ]);
    const nerve = await startNerve({
      program: installed(),
      main: { services: Object.fromEntries(services) as object },
    });
    await ready(nerve);
    const refused = types.map((type) => [type, expect.stringContaining('ECONNREFUSED') as string]);
    expect(await reasons(nerve)).toEqual(Object.fromEntries(refused));
  });
});
