import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { SystemdVm } from '../harness/systemdVm.ts';

const root = resolve(import.meta.dirname, '../..');

/** The commands of one step of the README's tour, exactly as they stand there. */
export async function tourStep(name: string): Promise<string> {
  const readme = await readFile(resolve(root, 'README.md'), 'utf8');
  const block = new RegExp(`<!-- tour: ${name} -->\\s+\`\`\`sh\\n([^]*?)\`\`\``).exec(readme)?.[1];
  if (block === undefined) throw new Error(`README.md has no step ${name}`);
  return `set -e\n${block}`;
}

/** The commands of the section "Removing it" of the operations guide. */
export async function removal(): Promise<string> {
  const guide = await readFile(resolve(root, 'docs/operations.md'), 'utf8');
  const block = /## Removing it[^]*?```sh\n([^]*?)```/.exec(guide)?.[1];
  if (block === undefined) throw new Error('docs/operations.md does not say how to remove it');
  return `set -e\n${block}`;
}

/** Installs the product in the container as the README says, and a configuration with one service, `hello`. */
export async function install(vm: SystemdVm): Promise<void> {
  for (const step of ['install', 'configure', 'run']) await vm.must('bash', '-c', await tourStep(step));
}
