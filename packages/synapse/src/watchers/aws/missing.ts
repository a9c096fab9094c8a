import { describeError } from '@smartstack/agent';

/** Why a library of AWS cannot be used: it is optional, and what to do about it is said here. */
export function missingLibrary(library: string, error: unknown): Error {
  const { code } = Object(error) as { readonly code?: unknown };
  const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
  const message = isMissing
    ? `${library} is not installed, which is optional: run npm install ${library} where synapse is installed`
    : `${library} cannot be loaded: ${describeError(error)}`;
  return new Error(message, { cause: error });
}
