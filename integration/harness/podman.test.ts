import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Podman } from './podman.ts';
import { makeTempDir, removeTempDir } from './tempDir.ts';

/** A program that is called in Podman's place, with its arguments from the command on. */
function podmanThat(does: string): Podman {
  const folder = makeTempDir('no-podman');
  onTestFinished(() => removeTempDir(folder));
  const file = join(folder, 'podman');
  // The six before are where it keeps its things.
  writeFileSync(file, `#!/bin/sh\nshift 6\n${does}\n`);
  chmodSync(file, 0o755);
  const podman = new Podman(file);
  onTestFinished(() => podman.dispose());
  return podman;
}
const fails = `echo 'a warning' >&2; echo 'Error: no such right' >&2; exit 125`;

it('says why Podman’s service does not run', async () => {
  expect(await podmanThat(fails).start()).toBe("Podman's service does not run here: Error: no such right");
});

it.each(['import', 'create'])('says why Podman cannot %s', async (command) => {
  const serves = `system) touch "\${5#unix://}"; exec sleep 60;;`;
  const podman = podmanThat(`case $1 in ${serves} ${command}) ${fails};; *) echo image;; esac`);
  expect(await podman.start()).toBe('Podman cannot create containers here: Error: no such right');
});
