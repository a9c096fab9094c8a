import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Registries } from './registries.js';
import type { StatsdEvents } from './statsdEvents.js';
import { definitionOf } from './testing/definitions.js';
import { fakeDeps } from './testing/deps.js';

it('makes the reporters that a reload adds for what the service is by then', async () => {
  const { clock, logger, registry, deps } = fakeDeps();
  const dir = await mkdtemp(join(tmpdir(), 'nerve-registries-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  // An earlier run left both.
  await writeFile(join(dir, 'web@i-old.json'), '{}');
  await writeFile(join(dir, 'web@i-new.json'), '{}');
  const events = { reported: () => undefined } as unknown as StatsdEvents;
  const registries = new Registries({ clock, logger, metrics: deps.metrics, declare: registry, events });
  const definition = (id: string, directory: string) => {
    const made = definitionOf('web', { reporter_type: 'file', file_directory: directory });
    return { ...made, instance: { ...made.instance, name: id } };
  };
  const set = registries.create(definition('i-old', join(dir, 'none')));
  onTestFinished(() => set.dispose(1));
  const changed = definition('i-new', dir);
  registries.update(changed);
  set.configure(changed.reporters);
  set.report(undefined);
  await set.settled(AbortSignal.timeout(5_000));
  expect(await readdir(dir)).toEqual(['web@i-old.json']);
});
