import { join } from 'node:path';
import { type Child, startProcess } from '../harness/childProcess.ts';

/** Starts a program of this folder as a process of its own: what makes load must not wait for what observes it. */
export function startProgram(
  name: 'fleetProcess' | 'trafficProcess',
  plan: object,
  onMessage: (message: unknown) => void,
): Child {
  const node = ['--conditions=source', '--import', 'tsx', join(import.meta.dirname, `${name}.ts`)];
  return startProcess(process.execPath, [...node, JSON.stringify(plan)], { onMessage });
}
