import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const created = new Set<string>();
process.once('exit', () => {
  for (const path of created) rmSync(path, { recursive: true, force: true });
});

/** A fresh folder under the system's temporary folder, removed when the test process exits at the latest. */
export function makeTempDir(name = 'test'): string {
  const path = mkdtempSync(join(tmpdir(), `smartstack-${name}-`));
  created.add(path);
  return path;
}

/** Removes a folder of `makeTempDir` now. */
export function removeTempDir(path: string): void {
  rmSync(path, { recursive: true, force: true });
  created.delete(path);
}
