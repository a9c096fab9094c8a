import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CatalogView, Generator } from '../catalog/types.js';
import { fileOutputKind } from './fileOutput/index.js';
import { nginxKind } from './nginx/index.js';
import { templateKind } from './template/index.js';
import type { GeneratorKind } from './types.js';
import { shadowGauge } from './differences.js';

const a: Instance = { host: '10.0.0.1', port: 80, name: 'a' };
const { signal } = new AbortController();
const view: CatalogView = { services: [{ name: 'web', source: 'live', instances: [a], blocks: {} }] };

let folder: string;
let clock: FakeClock;
let logger: RecordingLogger;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plan-shadow-'));
  mkdirSync(join(folder, 'out'));
  writeFileSync(join(folder, 't'), '{{ services[0].instances[0].host }}\n');
  clock = new FakeClock();
  logger = new RecordingLogger();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Case {
  readonly kind: GeneratorKind;
  readonly name: string;
  /** Its file, a text that is the same to whoever reads it, and one that is not. */
  readonly file: string;
  readonly same: string;
  readonly other: string;
  readonly block: () => unknown;
}
const touch = (): readonly string[] => ['/bin/touch', join(folder, 'ran')];
const cases: readonly Case[] = [
  {
    ...{ kind: fileOutputKind, name: 'file_output', file: 'web.json' },
    same: `[ {"port":80, "name":"a", "host":"10.0.0.1", "id":null, "weight":null, "labels":null, "haproxy_server_options":null} ]`,
    ...{ other: '[]', block: () => ({ output_directory: join(folder, 'out') }) },
  },
  {
    ...{ kind: nginxKind, name: 'nginx', file: 'nginx.conf' },
    same: '# by hands\nevents {\n}\nhttp {\nupstream web {\n  server  10.0.0.1:80;\n}\n}\n',
    other: 'events {\n}\nhttp {\n\tupstream web {\n\t\tserver 10.0.0.7:80;\n\t}\n}\n',
    block: () => ({
      ...{ contexts: { main: [], events: [] }, config_file_path: join(folder, 'out/nginx.conf') },
      ...{
        check_command: touch().join(' '),
        reload_command: touch().join(' '),
        start_command: touch().join(' '),
      },
    }),
  },
  {
    ...{ kind: templateKind, name: 'template', file: 'made', same: '10.0.0.1\n', other: '10.0.0.7\n' },
    block: () => ({
      templates: [
        {
          ...{ template_file: join(folder, 't'), destination_file: join(folder, 'out/made') },
          post_template_command: touch(),
        },
      ],
    }),
  },
];

it.each(cases)(
  '$name beside another synapse tells what lasts, writes nothing and runs nothing',
  async (one) => {
    const metrics = createMetrics();
    const context = { clock, logger, metrics, gauge: shadowGauge(metrics) };
    const shadow: Generator = await one.kind.createShadow!(one.block(), context);
    const path = join(folder, 'out', one.file);
    const differences = () =>
      (shadow.status() as { differences: { subject: string; detail: string }[] }).differences;
    const gauge = async (): Promise<string> =>
      /shadow_differences\{generator="\w+",where="file"\} (\d)/.exec((await metrics.expose()).body)?.[1] ??
      '';

    writeFileSync(path, one.same);
    expect(await shadow.reconcile(view, signal)).toEqual({ outcome: 'noop' });
    expect(differences()).toEqual([]);

    writeFileSync(path, one.other);
    await shadow.reconcile(view, signal);
    expect(differences()).toMatchObject([{ subject: path, lasting: false }]);
    expect(differences()[0]?.detail).toMatch(/\+ .*10\.0\.0\.1/);
    expect(await gauge()).toBe('0');
    await clock.advance(15_000);
    await shadow.reconcile(view, signal);
    expect(
      logger.records.filter(({ message }) => message === 'differs from what ours would do'),
    ).toHaveLength(1);
    expect(await gauge()).toBe('1');
    const plan = await shadow.plan!(view, signal);
    expect(plan).toMatchObject({ commands: [], reload: [], files: [{ path }] });
    expect(plan.notes).toContain('--shadow: nothing of this is ever done');
    const [trace] = await shadow.trace!([{ service: 'web', instances: [a] }], signal);
    expect(trace?.steps[0]).toMatchObject({ step: 'desired', ok: true });

    writeFileSync(path, one.same);
    await shadow.reconcile(view, signal);
    expect(await gauge()).toBe('0');
    expect(readdirSync(join(folder, 'out'))).toEqual([one.file]);
    expect(existsSync(join(folder, 'ran'))).toBe(false);
  },
);
