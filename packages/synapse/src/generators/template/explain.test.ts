import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics, systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CatalogView, Generator } from '../../catalog/types.js';
import { templateKind } from './index.js';

const a: Instance = { host: '10.0.0.1', port: 80, name: 'a' };
const b: Instance = { host: '10.0.0.2', port: 80, name: 'b' };
const { signal } = new AbortController();

let folder: string;
let template: string;
let file: string;
let generator: Generator;
const ends: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'template-explain-'));
  template = join(folder, 't');
  file = join(folder, 'out/file');
  writeFileSync(template, '{% for i in services[0].instances %}{{ i.host }}\n{% endfor %}');
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(folder, { recursive: true, force: true });
});

function create(command: readonly string[]): void {
  const one = { template_file: template, destination_file: file, services: ['web'] };
  const block = { templates: [{ ...one, post_template_command: command }], restart_interval: 0 };
  const context = { clock: systemClock, logger: new RecordingLogger(), metrics: createMetrics() };
  generator = templateKind.create(block, context);
  const stop = new AbortController();
  const running = generator.run(() => undefined, stop.signal);
  ends.push(() => (stop.abort(), running));
}
const viewOf = (...instances: Instance[]): CatalogView => ({
  services: [
    { name: 'web', source: 'live', instances, blocks: {} },
    { name: 'other', source: 'live', instances, blocks: {} },
  ],
});
const plan = (view: CatalogView) => generator.plan!(view, signal);
const trace = async (instances: readonly Instance[], service = 'web') =>
  (await generator.trace!([{ service, instances }], signal))[0]!;

describe('the plan of template', () => {
  it('has the lines that change and the command after it, and does neither', async () => {
    create(['/bin/sh', '-c', `echo ran >> ${folder}/calls`]);
    const first = await plan(viewOf(a));
    expect(first.files).toEqual([{ path: file, changes: ['it does not exist yet'] }]);
    expect(existsSync(join(folder, 'out'))).toBe(false);
    await generator.reconcile(viewOf(a), signal);
    expect(await plan(viewOf(a))).toEqual({ commands: [], reload: [], files: [], notes: [] });
    rmSync(join(folder, 'calls'));
    expect(await plan(viewOf(b))).toEqual({
      commands: [{ kind: 'command', target: file, detail: `/bin/sh -c echo ran >> ${folder}/calls` }],
      ...{ reload: [], notes: [], files: [{ path: file, changes: ['- 10.0.0.1', '+ 10.0.0.2'] }] },
    });
    expect(existsSync(join(folder, 'calls'))).toBe(false);
  });

  it('says that a template is broken and its file stays, and that a command which failed is run again', async () => {
    create(['/bin/sh', '-c', 'echo no; exit 3']);
    await expect(generator.reconcile(viewOf(a), signal)).rejects.toThrow('no');
    const { commands, files } = await plan(viewOf(a));
    expect(files).toEqual([]);
    expect(commands[0]?.detail).toMatch(/, again: status 3: no$/);
    writeFileSync(template, '{{ nonsense }}');
    expect((await plan(viewOf(a))).notes[0]).toMatch(/file stays: .*:1:4: undefined variable: nonsense/);
  });
});

describe('the trace of template', () => {
  it('says what a server was given to, whether the file names it, since when, and what the command came to', async () => {
    create(['/bin/true']);
    expect((await trace([a])).steps).toMatchObject([{ ok: false, detail: 'no pass was made yet' }]);
    const before = Date.now();
    await generator.reconcile(viewOf(a), signal);
    const held: Instance = { host: '10.0.0.9', port: 80, held: true };
    const { steps, servers } = await trace([a, held]);
    expect(steps.map(({ step, ok, detail }) => [step, ok, detail])).toEqual([
      ['desired', true, `${template} is given 1 instances`],
      ['loaded', true, `${file} is as the template makes it`],
      ['running', true, 'post_template_command was run'],
    ]);
    expect(servers[0]).toMatchObject({
      ...{ server: 'a_10.0.0.1:80', state: 'listed' },
      steps: [{}, { ok: true, detail: `10.0.0.1 stands in ${file}` }, { step: 'running' }],
    });
    for (const { at } of servers[0]?.steps ?? []) expect(at).toBeGreaterThanOrEqual(before);
    expect(servers[1]).toMatchObject({ state: 'absent', steps: [{ ok: false }] });
    writeFileSync(template, 'nothing\n');
    expect((await trace([a])).servers[0]?.steps[1]).toMatchObject({ ok: false });
    await generator.reconcile(viewOf(a), signal);
    const [one] = (await trace([a])).servers;
    expect(one?.steps[1]).toMatchObject({
      ...{ ok: true, detail: `${file} does not name 10.0.0.1: the template decides` },
    });
  });

  it('has no fault to find in a service that no template is given', async () => {
    create(['/bin/true']);
    await generator.reconcile(viewOf(a), signal);
    expect(await trace([a], 'other')).toEqual({
      steps: [{ step: 'desired', ok: true, detail: 'no template is given it' }],
      servers: [],
    });
  });
});
