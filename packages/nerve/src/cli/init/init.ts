import { open, unlink } from 'node:fs/promises';
import { AgentError, describeError, exitCode } from '@smartstack/agent';
import type { Action } from '../command.js';
import type { Console } from '../console.js';
import { plainText } from '@smartstack/agent/cli';
import { readHost } from './machine.js';
import { planFor } from './plan.js';
import { render } from './render.js';

/**
 * `nerve init`: writes a first configuration, from what listens on this machine, to stdout or to a new file. 73 when
 * that file cannot be made; what exists is never overwritten.
 */
export async function writeFirstConfig(
  { file }: Extract<Action, { kind: 'init' }>,
  { print }: Pick<Console, 'print'>,
  look: typeof readHost = readHost,
): Promise<number> {
  const host = observe(look);
  const plan = planFor(host);
  const text = render(plan, { hostName: host.name, interface: host.address?.interface, file });
  if (file === undefined) {
    // Its last line break is added by whoever prints.
    print('stdout', text.replace(/\n$/, ''));
    return exitCode.stopped;
  }
  const problem = await create(file, text);
  if (problem !== undefined) {
    print('stderr', `nerve: ${plainText(problem)}`);
    return exitCode.cannotCreate;
  }
  const { proposals, skipped } = plan;
  print(
    'stdout',
    `${plainText(file)}: written, with ${proposals.length} services; ${skipped.length} ports left out`,
  );
  print('stdout', 'what to do next is in its first lines');
  return exitCode.stopped;
}

function observe(look: typeof readHost) {
  try {
    return look();
  } catch (error) {
    throw new AgentError('init', `what listens here cannot be seen: ${describeError(error)}`);
  }
}

/** Makes a file that is not there yet. Returns why it cannot be made; then nothing of it stays. */
async function create(file: string, text: string): Promise<string | undefined> {
  let handle;
  try {
    handle = await open(file, 'wx', 0o644);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      return `${file} exists, and is left as it is: choose another --output, or move it away`;
    return `cannot make ${file}: ${describeError(error)}`;
  }
  try {
    await handle.writeFile(text);
    await handle.sync();
    return undefined;
  } catch (error) {
    await unlink(file).catch(() => undefined);
    return `cannot write ${file}: ${describeError(error)}`;
  } finally {
    await handle.close().catch(() => undefined);
  }
}
