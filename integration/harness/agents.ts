import { resolve } from 'node:path';
import { startProcess, type Child, type SpawnOptions } from './childProcess.ts';

const packages = resolve(import.meta.dirname, '../../packages');

/** Starts nerve or synapse as a process of its own, from the sources, so that no test meets an old build. */
export function startAgent(
  name: 'nerve' | 'synapse',
  args: readonly string[],
  options: SpawnOptions = {},
): Child {
  const node = ['--conditions=source', '--import', 'tsx', `${packages}/${name}/src/main.ts`];
  return startProcess(process.execPath, [...node, ...args], options);
}
