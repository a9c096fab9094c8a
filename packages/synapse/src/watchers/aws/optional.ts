import { createRequire } from 'node:module';

import { describeError } from '@smartstack/agent';

/** As Node.js finds it, whatever bundles this file: the libraries of AWS are optional, and in no bundle. */
const load = createRequire(import.meta.url);

/** Loads an optional library when it is needed. Throws with how to install it where it is missing. */
export function optionalLibrary(library: string): unknown {
  try {
    return load(library);
  } catch (error) {
    throw unusable(library, error);
  }
}

function unusable(library: string, error: unknown): Error {
  const { code } = Object(error) as { readonly code?: unknown };
  const reason = describeError(error);
  // Of a broken installation some part is missing instead.
  const isMissing = code === 'MODULE_NOT_FOUND' && reason.startsWith(`Cannot find module '${library}'`);
  const message = isMissing
    ? `${library} is not installed, which is optional: run npm install ${library} where synapse is installed`
    : `${library} cannot be loaded: ${reason}`;
  // Without a cause: its text is long, and names folders of the installation only.
  return new Error(message);
}
