import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CatalogView, Generator, ServiceView, ViewSource } from '../../catalog/types.js';
import { fileOutputKind } from './index.js';

const a: Instance = { host: '10.0.0.1', port: 80, name: 'a', id: 1 };
const b: Instance = { host: '10.0.0.2', port: 80, name: 'b', id: 2 };
const signal = new AbortController().signal;

let folder: string;
let directory: string;
let clock: FakeClock;
let logger: RecordingLogger;
let metrics: ReturnType<typeof createMetrics>;
const ends: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'file-output-'));
  directory = join(folder, 'out');
  clock = new FakeClock();
  logger = new RecordingLogger();
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(folder, { recursive: true, force: true });
});

function create(): Generator {
  metrics = createMetrics();
  const generator = fileOutputKind.create({ output_directory: directory }, { clock, logger, metrics });
  const stop = new AbortController();
  const running = generator.run(() => undefined, stop.signal);
  ends.push(() => (stop.abort(), running));
  return generator;
}

function service(
  name: string,
  instances: readonly Instance[],
  source: ViewSource = 'live',
  block: unknown = {},
): ServiceView {
  return { name, source, instances, blocks: { file_output: block } };
}
const viewOf = (...services: ServiceView[]): CatalogView => ({ services });
const files = (): string[] => readdirSync(directory).toSorted();
const names = (file: string): unknown[] =>
  (JSON.parse(readFileSync(join(directory, file), 'utf8')) as { name: unknown }[]).map(({ name }) => name);

describe('file_output', () => {
  it('writes a file for each service, and removes those of services that there are not', async () => {
    const generator = create();
    mkdirSync(directory);
    writeFileSync(join(directory, 'old.json'), '[]');
    for (const other of ['note.txt', '.hidden.json']) writeFileSync(join(directory, other), '');
    mkdirSync(join(directory, 'folder.json'));
    const view = viewOf(
      service('web', [a, b]),
      service('none', []),
      service('off', [a], 'live', { disabled: true }),
    );
    expect(await generator.reconcile(view, signal)).toEqual({ outcome: 'write' });
    expect(files()).toEqual(['.hidden.json', 'folder.json', 'none.json', 'note.txt', 'web.json']);
    expect(names('web.json')).toEqual(['a', 'b']);
    expect(readFileSync(join(directory, 'none.json'), 'utf8')).toBe('[]');
    expect(statSync(join(directory, 'web.json')).mode & 0o777).toBe(0o644);
    expect(await generator.reconcile(view, signal)).toEqual({ outcome: 'noop' });
    const { body } = await metrics.expose();
    expect(body).toContain('smartstack_file_output_write_total{result="success"} 2');
    expect(body).toContain('smartstack_file_output_purge_total 1');
    expect(logger.records).toMatchObject([
      { message: 'purging files of unknown services', fields: { files: ['old.json'] } },
    ]);
  });

  it('leaves out what its source lost: nobody checks what a program reads in a file', async () => {
    const generator = create();
    await generator.reconcile(viewOf(service('web', [a, { ...b, held: true }])), signal);
    expect(names('web.json')).toEqual(['a']);
    await generator.reconcile(viewOf(service('web', [a, b])), signal);
    expect(names('web.json')).toEqual(['a', 'b']);
  });

  it('touches no file that says the same already, also after a restart, also in another notation', async () => {
    mkdirSync(directory);
    const file = join(directory, 'web.json');
    await create().reconcile(viewOf(service('web', [a])), signal);
    const pretty = JSON.stringify(JSON.parse(readFileSync(file, 'utf8')), undefined, 2);
    writeFileSync(file, pretty);
    await ends.pop()?.();
    expect(await create().reconcile(viewOf(service('web', [{ ...a }])), signal)).toEqual({ outcome: 'noop' });
    expect(readFileSync(file, 'utf8')).toBe(pretty);
  });

  it('leaves the file of a service of which nothing is known', async () => {
    const first = create();
    const all = ['pending', 'previous', 'broken', 'bad', 'spare'];
    await first.reconcile(viewOf(...all.map((name) => service(name, [a]))), signal);
    await ends.pop()?.();
    const view = {
      services: [
        service('pending', [], 'pending'),
        service('previous', [], 'previous'),
        service('bad', [b], 'live', { disabled: 'perhaps' }),
        service('spare', [b], 'pending'),
        service('fresh', [b], 'pending'),
        service('unheard', [], 'pending'),
      ],
      unreadable: ['broken'],
    };
    const second = create();
    await second.reconcile(view, signal);
    expect(files()).toEqual([...all, 'fresh'].map((name) => `${name}.json`).toSorted());
    for (const name of all) expect(names(`${name}.json`)).toEqual(['a']);
    expect(names('fresh.json')).toEqual(['b']);
    expect(second.status()).toMatchObject({
      problems: [{ service: 'bad', problem: expect.stringContaining('file_output.disabled') as string }],
    });
    // An empty list that the source itself tells is one.
    await second.reconcile(viewOf(service('pending', [], 'live')), signal);
    expect(names('pending.json')).toEqual([]);
  });

  it('mends what others did to its files: at once what is missing, in a while the rest', async () => {
    const generator = create();
    const view = viewOf(service('web', [a]), service('api', [b]));
    await generator.reconcile(view, signal);
    rmSync(join(directory, 'web.json'));
    await generator.reconcile(view, signal);
    expect(names('web.json')).toEqual(['a']);
    writeFileSync(join(directory, 'api.json'), '[{"name":"evil"');
    utimesSync(join(directory, 'api.json'), 1, 1);
    await clock.advance(10_000);
    await generator.reconcile(view, signal);
    expect(names('api.json')).toEqual(['b']);
  });

  it('never writes outside of its folder, through a name or a link', async () => {
    const generator = create();
    mkdirSync(directory);
    const outside = join(folder, 'outside.json');
    writeFileSync(outside, 'precious');
    symlinkSync(outside, join(directory, 'web.json'));
    const view = viewOf(service('../outside', [a]), service('web', [a]), service('x/y', [a]));
    await generator.reconcile(view, signal);
    expect(readFileSync(outside, 'utf8')).toBe('precious');
    expect(lstatSync(join(directory, 'web.json')).isFile()).toBe(true);
    expect(readdirSync(folder).toSorted()).toEqual(['.out.keeper', 'out', 'outside.json']);
    expect(generator.status()).toMatchObject({
      files: 1,
      problems: [{ service: '../outside' }, { service: 'x/y' }],
    });
  });

  it('writes the other files when one cannot be, says so, and tries again', async () => {
    const generator = create();
    mkdirSync(join(directory, 'web.json', 'inside'), { recursive: true });
    const view = viewOf(service('web', [a]), service('api', [b]));
    await expect(generator.reconcile(view, signal)).rejects.toThrow(/Cannot write .*web\.json/);
    expect(names('api.json')).toEqual(['b']);
    rmSync(join(directory, 'web.json'), { recursive: true });
    expect(await generator.reconcile(view, signal)).toEqual({ outcome: 'write' });
    expect((await metrics.expose()).body).toContain('smartstack_file_output_write_total{result="failure"} 1');
  });

  it('keeps the old files when the disk is full', async () => {
    mkdirSync(directory);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', directory], { stdio: 'ignore' });
    } catch {
      return; // Not root.
    }
    try {
      const generator = create();
      await generator.reconcile(viewOf(service('web', [a])), signal);
      const many = Array.from({ length: 500 }, (_, at) => ({ ...a, port: at + 1 }));
      await expect(generator.reconcile(viewOf(service('web', many)), signal)).rejects.toThrow(/ENOSPC/);
      expect(names('web.json')).toEqual(['a']);
      expect(files()).toEqual(['web.json']);
    } finally {
      execFileSync('umount', [directory]);
    }
  });

  it('is the only one that keeps its folder', async () => {
    await create().reconcile(viewOf(service('web', [a])), signal);
    await expect(create().reconcile(viewOf(), signal)).rejects.toThrow(/another synapse .* keeps/);
    expect(files()).toEqual(['web.json']);
  });

  it('goes to another folder when it is told to', async () => {
    const generator = create();
    await generator.reconcile(viewOf(service('web', [a])), signal);
    generator.configure({ output_directory: join(folder, 'other') });
    await generator.reconcile(viewOf(service('web', [a])), signal);
    expect(readdirSync(join(folder, 'other'))).toEqual(['web.json']);
    expect(files()).toEqual(['web.json']);
  });
});
