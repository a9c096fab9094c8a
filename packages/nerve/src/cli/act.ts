import { AgentError, exitCode } from '@smartstack/agent';
import { ApiError } from '@smartstack/agent/apiClient';
import type { Action } from './command.js';
import { BadUsage } from '@smartstack/agent/cli';
import type { Console } from './console.js';
import { plainText } from '@smartstack/agent/cli';

/** Does what was asked for. Returns the exit code; whatever was expected to go wrong is printed. */
export async function act(action: Action, console: Console): Promise<number> {
  try {
    return await perform(action, console);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    // It may be what another program said.
    console.print('stderr', `nerve: ${plainText(error.message)}`);
    if (error instanceof BadUsage || (error instanceof ApiError && error.status === 400))
      return exitCode.usage;
    if (error instanceof ApiError && error.code === 'unreachable') {
      const service = 'is it running? systemctl status nerve. It listens where admin.listen says: --address';
      console.print('stderr', `nerve: ${service}`);
      return exitCode.unavailable;
    }
    return exitCode.failure;
  }
}

async function perform(action: Action, console: Console): Promise<number> {
  switch (action.kind) {
    case 'status':
      return (await import('./showStatus.js')).showStatus(action, console);
    case 'drain':
    case 'undrain':
      return (await import('./drain.js')).orderDrain(action, console);
    case 'weight':
      return (await import('./weight.js')).orderWeight(action, console);
    case 'probe':
      return (await import('./probe.js')).probeService(action, console);
    case 'lint':
      return (await import('./lint.js')).lintConfig(action, console);
    case 'init':
      return (await import('./init/init.js')).writeFirstConfig(action, console);
  }
}
