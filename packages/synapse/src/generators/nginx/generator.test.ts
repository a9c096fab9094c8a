import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics, systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CatalogView, Generator } from '../../catalog/types.js';
import { nginxKind } from './index.js';

let folder: string;
let logger: RecordingLogger;
const ends: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nginx-'));
  logger = new RecordingLogger();
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(folder, { recursive: true, force: true });
});

const block = (more: object = {}): object => ({
  contexts: { main: [`pid ${folder}/n.pid`, `error_log ${folder}/e.log`], events: [] },
  ...{ config_file_path: `${folder}/out/nginx.conf`, nginx_binary: '/no/such/nginx', do_reloads: false },
  ...more,
});
function create(more: object = {}): Generator {
  const metrics = createMetrics();
  const generator = nginxKind.create(block(more), { clock: systemClock, logger, metrics });
  const stop = new AbortController();
  const running = generator.run(() => undefined, stop.signal);
  ends.push(() => (stop.abort(), running));
  return generator;
}
const view = (port: number): CatalogView => ({
  services: [
    {
      ...{ name: 'web', source: 'live', blocks: { nginx: { port } } },
      instances: [{ host: '10.0.0.1', port: 80 }],
    },
  ],
});
const signal = new AbortController().signal;
const text = (): string => readFileSync(`${folder}/out/nginx.conf`, 'utf8');
/** An executable in place of nginx. */
function standIn(script: string): string {
  const path = join(folder, 'stand-in');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('the nginx generator', () => {
  it('writes unchecked where no nginx is installed, and says so; nothing is left beside the file', async () => {
    const generator = create();
    expect((await generator.reconcile(view(1), signal)).outcome).toBe('write');
    expect((await generator.reconcile(view(1), signal)).outcome).toBe('noop');
    expect(generator.status()).toMatchObject({ file: { unchecked: '/no/such/nginx is not installed here' } });
    expect(readdirSync(`${folder}/out`).filter((name) => !name.endsWith('.keeper'))).toEqual(['nginx.conf']);
    expect((await create({ do_writes: false }).reconcile(view(2), signal)).outcome).toBe('noop');
  });

  it('keeps the file when it cannot write another, or get no verdict, and goes on when it can', async () => {
    mkdirSync(`${folder}/out`);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', `${folder}/out`]);
    ends.push(() => Promise.resolve(void execFileSync('umount', ['-l', `${folder}/out`])));
    const generator = create({ nginx_binary: standIn('exit 0') });
    await generator.reconcile(view(1), signal);
    const before = text();
    writeFileSync(`${folder}/out/filler`, Buffer.alloc(12_000));
    await expect(generator.reconcile(view(2), signal)).rejects.toMatchObject({
      code: 'file_write',
      retriable: true,
    });
    expect(text()).toBe(before);
    rmSync(`${folder}/out/filler`);
    await generator.reconcile(view(2), signal);
    expect(text()).toContain(':2;');
    generator.configure(block({ check_command: 'kill -9 $$' }));
    await generator.reconcile(view(3), signal).catch(() => undefined);
    expect(text()).toContain(':2;');
  });

  it('checks where the command looks, and takes a bad file back', async () => {
    const generator = create({ check_command: `! grep -q ':6;' ${folder}/*/nginx.conf` });
    await generator.reconcile(view(5), signal);
    await generator.reconcile(view(6), signal);
    expect(text()).toContain(':5;');
    expect(generator.status()).toMatchObject({ quarantined: [{ service: 'web', kept: 'last-good' }] });
  });

  it('gives up on a start that does not work, and says what nginx says', async () => {
    const generator = create({
      do_reloads: true,
      nginx_binary: standIn('[ "$1" = -t ] || { echo "[emerg] 1#1: no luck"; exit 1; }'),
    });
    await expect(generator.reconcile(view(1), signal)).rejects.toThrow(
      'nginx could not be started: status 1: no luck',
    );
    const foreground = create({
      ...{ do_reloads: true, nginx_binary: standIn('exit 0'), config_file_path: `${folder}/b/nginx.conf` },
      contexts: { main: [`pid ${folder}/n.pid`, 'daemon off'], events: [] },
    });
    await expect(foreground.reconcile(view(1), signal)).rejects.toThrow('somebody else has to start it');
  });

  it('keeps its file for itself', async () => {
    await create().reconcile(view(1), signal);
    await expect(create().reconcile(view(2), signal)).rejects.toMatchObject({ code: 'in-use' });
  });
});

describe('blocks', () => {
  const problems = (nginx: unknown): readonly string[] =>
    nginxKind.check(nginx).map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);

  it('say what is wrong, and where', () => {
    expect(problems({ contexts: {} })).toEqual([
      'contexts.main: must be a line or a list of lines',
      'contexts.events: must be a line or a list of lines',
    ]);
    expect(problems({ contexts: { main: ['a', 'b {'], events: null } })).toContain(
      'contexts.main.1: opens a block that it does not close',
    );
    expect(problems({ contexts: { main: [], events: [] } })).toEqual([
      'config_file_path: `config_file_path` is required when `do_writes` is true',
    ]);
    expect(problems({ contexts: { main: [], events: [], 'a {': [] }, do_writes: false })).toEqual([
      'contexts.a {: must be the name of a block',
    ]);
    expect(problems(block({ nonsense: 1 }))).toEqual(['nonsense: unknown key, ignored']);
    const service = nginxKind.checkService('web', {
      mode: 'udp',
      port: 0,
      server: 'a; }',
      listen_options: 'a;',
    });
    expect(service.map(({ path }) => path.join('.'))).toEqual(['mode', 'port', 'listen_options', 'server.0']);
  });
});
