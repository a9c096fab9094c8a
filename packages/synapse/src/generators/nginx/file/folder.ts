import { dirname } from 'node:path';
import { AgentError, describeError, makeDirectory } from '@smartstack/agent';

/** Makes the folder of a file, where it is not there. Throws AgentError `file_write`, retriable. */
export async function makeFolderOf(path: string): Promise<void> {
  try {
    await makeDirectory(dirname(path));
  } catch (error) {
    const message = `cannot make the folder of ${path}: ${describeError(error)}`;
    throw new AgentError('file_write', message, { cause: error, retriable: true });
  }
}
