import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics, systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CatalogView, Generator, ServiceView, ViewSource } from '../../catalog/types.js';
import { templateKind } from './index.js';

let folder: string;
let file: string;
let logger: RecordingLogger;
let metrics: ReturnType<typeof createMetrics>;
const ends: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'template-'));
  file = join(folder, 'out/file');
  logger = new RecordingLogger();
  template(
    '{% for s in services %}{{ s.name }}:{% for i in s.instances %} {{ i.host }}:{{ i.port }}{% endfor %};{% endfor %}',
  );
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(folder, { recursive: true, force: true });
});

const template = (text: string): void => writeFileSync(join(folder, 't'), text);
const block = (more: object = {}): object => ({
  templates: [{ template_file: join(folder, 't'), destination_file: file, ...more }],
  restart_interval: 0,
});
function create(top: object = block()): Generator & { readonly end: () => Promise<void> } {
  metrics = createMetrics();
  const generator = templateKind.create(top, { clock: systemClock, logger, metrics });
  const stop = new AbortController();
  const running = generator.run(() => undefined, stop.signal);
  const end = (): Promise<void> => (stop.abort(), running);
  ends.push(end);
  return Object.assign(generator, { end });
}

const a: Instance = { host: '10.0.0.1', port: 80, name: 'a' };
const b: Instance = { host: '10.0.0.2', port: 80, name: 'b' };
function service(name: string, instances: readonly Instance[], source: ViewSource = 'live'): ServiceView {
  return { name, source, instances, blocks: {} };
}
const viewOf = (...services: ServiceView[]): CatalogView => ({ services });
const { signal } = new AbortController();
const text = (): string => readFileSync(file, 'utf8');
const touched = (): number => statSync(file).ino;
/** A command that says when it ran. */
const calls = (): string => readFileSync(join(folder, 'calls'), 'utf8');
const noting = ['/bin/sh', '-c', 'echo ran >> "$0"'];
const command = (): readonly string[] => [...noting, join(folder, 'calls')];

describe('the template generator', () => {
  it('writes when the content changes, in an order of its own, and runs the command after it', async () => {
    const generator = create(block({ post_template_command: command(), destination_file_mode: '0600' }));
    expect(await generator.reconcile(viewOf(service('web', [b, a])), signal)).toEqual({ outcome: 'write' });
    expect(text()).toBe('web: 10.0.0.1:80 10.0.0.2:80;');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const before = touched();
    expect(await generator.reconcile(viewOf(service('web', [a, b])), signal)).toEqual({ outcome: 'noop' });
    expect(touched()).toBe(before);
    expect(calls()).toBe('ran\n');
    // The template itself is read again.
    template('{{ services.size }}\n');
    await generator.reconcile(viewOf(service('web', [a])), signal);
    expect(text()).toBe('1\n');
    expect(calls()).toBe('ran\nran\n');
    expect(readdirSync(join(folder, 'out')).filter((name) => !name.endsWith('.keeper'))).toEqual(['file']);
  });

  it('gives all that is known of an instance, and nothing that could end a line', async () => {
    template('{% for i in services[0].instances %}{{ i | json }}\n{% endfor %}');
    const generator = create();
    const full: Instance = {
      ...{
        ...a,
        id: 7,
        weight: 3,
        haproxyServerOptions: 'backup',
        labels: { zone: 'z', n: 1 },
        available: false,
      },
    };
    const evil: Instance[] = [
      { ...b, labels: { x: ['a\nb'] } },
      { ...b, haproxyServerOptions: 'a\u2028b' },
      { ...b, host: '10.0.0.1\n' },
      { ...b, name: 'b\r' },
      { ...b, held: true },
    ];
    await generator.reconcile(viewOf(service('web', [full, { host: 'h', port: 1 }, ...evil])), signal);
    const lines = text().trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        ...{
          name: 'a',
          host: '10.0.0.1',
          port: 80,
          weight: 3,
          labels: { zone: 'z', n: 1 },
          zone: 'z',
          id: 7,
        },
        ...{ options: 'backup', state: 'unavailable' },
      },
      {
        ...{ name: null, host: 'h', port: 1, weight: null, labels: {}, zone: null, id: null, options: null },
        state: 'available',
      },
    ]);
    expect((generator.status() as { issues: unknown[] }).issues).toHaveLength(4);
  });

  it('keeps the last good file while the template is broken, and says where', async () => {
    const generator = create(block({ post_template_command: command() }));
    await generator.reconcile(viewOf(service('web', [a])), signal);
    for (const [broken, why] of [
      ['a\n{% for s in services %}', `${folder}/t:2:1: tag {% for s in services %} not closed`],
      ['a\n  {{ services[0].nmae }}', `${folder}/t:2:6: undefined variable: services.0.nmae`],
      ['{{ "x" | shell }}', `${folder}/t:1:1: undefined filter: shell`],
      ['{% include "/etc/passwd" %}', `${folder}/t:1:1: ENOENT`],
      ['{% for i in (1..100000000) %}x{% endfor %}', `${folder}/t:1:1: memory alloc limit exceeded`],
      ['{{ services.constructor.constructor }}', `${folder}/t:1:4: undefined variable: services.constructor`],
    ] as const) {
      template(broken);
      await expect(generator.reconcile(viewOf(service('web', [b])), signal)).rejects.toThrow(why);
    }
    rmSync(join(folder, 't'));
    await expect(generator.reconcile(viewOf(service('web', [b])), signal)).rejects.toThrow('ENOENT');
    expect(text()).toBe('web: 10.0.0.1:80;');
    expect((await metrics.expose()).body).toContain('smartstack_template_broken 1');
    template('{{ services.size }}');
    await generator.reconcile(viewOf(service('web', [b])), signal);
    expect(text()).toBe('1');
    expect((await metrics.expose()).body).toContain('smartstack_template_broken 0');
    expect(calls()).toBe('ran\nran\n');
  });

  it('keeps the file when the disk is full, and runs no command for it', async () => {
    mkdirSync(join(folder, 'out'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', join(folder, 'out')]);
    ends.push(() => Promise.resolve(void execFileSync('umount', ['-l', join(folder, 'out')])));
    const generator = create(block({ post_template_command: command() }));
    await generator.reconcile(viewOf(service('web', [a])), signal);
    writeFileSync(join(folder, 'out/filler'), Buffer.alloc(12_000));
    const full = viewOf(service('web', [b]));
    await expect(generator.reconcile(full, signal)).rejects.toMatchObject({
      code: 'file_write',
      retriable: true,
    });
    expect(text()).toBe('web: 10.0.0.1:80;');
    expect(calls()).toBe('ran\n');
    rmSync(join(folder, 'out/filler'));
    await generator.reconcile(full, signal);
    expect(text()).toBe('web: 10.0.0.2:80;');
    expect(calls()).toBe('ran\nran\n');
  });

  it('kills a command that hangs, with its children, and tries it again until it works, also after a restart', async () => {
    const pids = join(folder, 'pids');
    const hangs = ['/bin/sh', '-c', 'sleep 60 & echo $! > "$0"; wait', pids];
    const hanging = create(block({ post_template_command: hangs, post_template_command_timeout: 0.3 }));
    await expect(hanging.reconcile(viewOf(service('web', [a])), signal)).rejects.toMatchObject({
      ...{ code: 'command-failed', message: expect.stringContaining('no end within 300 ms') as string },
    });
    const isGone = (): boolean => {
      const stat = existsSync(`/proc/${readFileSync(pids, 'utf8').trim()}/stat`);
      return !stat || / [ZX] /.test(readFileSync(`/proc/${readFileSync(pids, 'utf8').trim()}/stat`, 'utf8'));
    };
    await expect.poll(isGone).toBe(true);
    expect(hanging.status()).toMatchObject({ templates: [{ commandPending: true }] });
    expect((await metrics.expose()).body).toContain('smartstack_template_command_total{result="failure"} 1');
    await hanging.end();

    // Another process: the file is as it should be, the command is not yet run.
    const next = create(block({ post_template_command: command() }));
    expect(await next.reconcile(viewOf(service('web', [a])), signal)).toEqual({ outcome: 'noop' });
    expect(calls()).toBe('ran\n');
    await next.end();
    const last = create(block({ post_template_command: command() }));
    await last.reconcile(viewOf(service('web', [a])), signal);
    expect(calls()).toBe('ran\n');
  });

  it('runs a command no more often than it may; one template does not hold up another', async () => {
    const other = { template_file: join(folder, 'none'), destination_file: join(folder, 'out/other') };
    const [own] = (block({ post_template_command: command() }) as { templates: object[] }).templates;
    const generator = create({ templates: [other, own], restart_interval: 60 });
    await expect(generator.reconcile(viewOf(service('web', [a])), signal)).rejects.toThrow('none');
    expect(calls()).toBe('ran\n');
    writeFileSync(join(folder, 'none'), '');
    const outcome = await generator.reconcile(viewOf(service('web', [b])), signal);
    expect(outcome).toMatchObject({ outcome: 'waiting' });
    expect(outcome.againInMs).toBeGreaterThan(50_000);
    expect(text()).toBe('web: 10.0.0.2:80;');
    expect(calls()).toBe('ran\n');
  });

  it('leaves a file from before alone until it knows as much, but for services that it is not given', async () => {
    mkdirSync(join(folder, 'out'));
    writeFileSync(file, 'before');
    const generator = create();
    await generator.reconcile(viewOf(service('web', [a]), service('api', [], 'pending')), signal);
    expect(text()).toBe('before');
    expect(generator.status()).toMatchObject({ templates: [{ waitingFor: ['api'] }] });
    await generator.reconcile(viewOf(service('web', [a]), service('api', [])), signal);
    expect(text()).toBe('web: 10.0.0.1:80;api:;');
    // One whose definition is broken is as it was.
    await generator.reconcile({ services: [service('api', [])], unreadable: ['web'] }, signal);
    expect(text()).toBe('api:;web: 10.0.0.1:80;');
    generator.configure(block({ services: ['web'] }));
    await generator.reconcile(viewOf(service('web', [a]), service('new', [], 'pending')), signal);
    expect(text()).toBe('web: 10.0.0.1:80;');
  });
});

describe('blocks', () => {
  const problems = (top: unknown): readonly string[] =>
    templateKind.check(top).map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);

  it('say what is wrong, and where', () => {
    expect(problems(block({ post_template_command: 'systemctl reload varnish' }))).toEqual([]);
    expect(problems(block({ post_template_command: 'a; b' }))).toEqual([
      `templates.0.post_template_command: no shell reads it: give a list of words, ['/bin/sh', '-c', '…'] for one`,
    ]);
    expect(problems(block({ destination_file_mode: '9' }))[0]).toContain('octal');
    expect(problems(block({ destination_file: join(folder, 't') }))[0]).toContain('it would be overwritten');
    const [one] = (block() as { templates: object[] }).templates;
    expect(problems({ templates: [one, one] })).toEqual([
      'templates.1.destination_file: is that of another template, too',
    ]);
    expect(problems({ templates: [] })).toEqual(['templates: must not be empty']);
  });

  it('render shows each file, and what is wrong; -k finds a broken template, lint what only an instance shows', async () => {
    const view = viewOf(service('web', [a]));
    expect(await templateKind.render(block(), view, systemClock)).toEqual({
      text: `# ${file}\nweb: 10.0.0.1:80;\n`,
      notes: [],
    });
    template('{% for i in services[0].instances %}{{ i.prot }}{% endfor %}');
    const examine = (top: object, all: CatalogView) => templateKind.examine?.(top, all, systemClock);
    expect(await examine(block(), viewOf(service('web', [])))).toEqual([]);
    const found = await templateKind.lint?.({ block: block(), services: new Map(), view }, systemClock);
    expect(found).toMatchObject([{ message: `${folder}/t:1:40: undefined variable: i.prot` }]);
    template('{{');
    expect(
      await examine(block({ services: ['nobody'], post_template_command: 'no-such-program' }), view),
    ).toMatchObject([
      { severity: 'error', path: ['templates', 0, 'template_file'] },
      { severity: 'warning', path: ['templates', 0, 'services', 0] },
      { severity: 'warning', path: ['templates', 0, 'post_template_command'] },
    ]);
    expect((await templateKind.render(block(), view, systemClock)).notes[0]).toContain(
      `error: ${folder}/t:1:1: `,
    );
  });
});
