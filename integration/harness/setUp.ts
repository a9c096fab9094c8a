import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

/** Before the first integration test: agents run as they were built, so that must be of the sources of now. */
export default function setUp(): void {
  const root = resolve(import.meta.dirname, '../..');
  const { status } = spawnSync('bash', ['scripts/setup.sh', 'test', '--quiet'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('the set-up failed');
}
