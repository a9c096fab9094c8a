import { describeError } from '@smartstack/agent';

/**
 * Loads an optional library, which is in no bundle, when it is needed. Rejects with how to install it where it is
 * missing.
 */
export async function optionalLibrary<T>(library: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw unusable(library, error);
  }
}

function unusable(library: string, error: unknown): Error {
  const reason = describeError(error);
  // Of a broken installation some part is missing instead.
  const isMissing = new RegExp(`^Cannot find (module|package) '${library}'`).test(reason);
  const message = isMissing
    ? `${library} is not installed, which is optional: run npm install ${library} where synapse is installed`
    : `${library} cannot be loaded: ${reason}`;
  // Without a cause: its text is long, and names folders of the installation only.
  return new Error(message);
}
