import { resolve } from 'node:path';
import { startProcess, type Child, type SpawnOptions } from './childProcess.ts';

/** How an agent is started. */
export interface AgentOptions extends SpawnOptions {
  /** What comes before the command: another network, for one. */
  readonly within?: readonly string[];
}

const packages = resolve(import.meta.dirname, '../../packages');

function startWithin(command: readonly string[], { within = [], ...options }: AgentOptions): Child {
  const [first = '', ...rest] = [...within, ...command];
  return startProcess(first, rest, options);
}

/** Starts what was built, as an operator does: for benches, and where a start must not cost a compilation. */
export function startBuiltAgent(
  name: 'nerve' | 'synapse',
  args: readonly string[],
  options: AgentOptions = {},
): Child {
  return startWithin([process.execPath, `${packages}/${name}/bin/${name}.js`, ...args], options);
}

/** Starts nerve or synapse as a process of its own, from the sources, so that no test meets an old build. */
export function startAgent(
  name: 'nerve' | 'synapse',
  args: readonly string[],
  options: AgentOptions = {},
): Child {
  const node = ['--conditions=source', '--import', 'tsx', `${packages}/${name}/src/main.ts`];
  return startWithin([process.execPath, ...node, ...args], options);
}
