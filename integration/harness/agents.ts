import { resolve } from 'node:path';
import { startProcess, type Child, type SpawnOptions } from './childProcess.ts';

const packages = resolve(import.meta.dirname, '../../packages');

/** Starts what was built, as an operator does: for benches, and where a start must not cost a compilation. */
export function startBuiltAgent(
  name: 'nerve' | 'synapse',
  args: readonly string[],
  options: SpawnOptions = {},
): Child {
  return startProcess(process.execPath, [`${packages}/${name}/bin/${name}.js`, ...args], options);
}

/** Starts nerve or synapse as a process of its own, from the sources, so that no test meets an old build. */
export function startAgent(
  name: 'nerve' | 'synapse',
  args: readonly string[],
  options: SpawnOptions = {},
): Child {
  const node = ['--conditions=source', '--import', 'tsx', `${packages}/${name}/src/main.ts`];
  return startProcess(process.execPath, [...node, ...args], options);
}
