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

/** Starts nerve or synapse as a process of its own, as it was built: what operators run. */
export function startAgent(
  name: 'nerve' | 'synapse',
  args: readonly string[],
  options: AgentOptions = {},
): Child {
  return startWithin([process.execPath, executableOf(name), ...args], options);
}

/** Where the executable of an agent is. */
export function executableOf(name: 'nerve' | 'synapse'): string {
  return `${packages}/${name}/bin/${name}.js`;
}
