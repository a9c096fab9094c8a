/** What every expected failure of the product carries. Anything else that is thrown is a bug. */
export interface AgentErrorOptions {
  /** True when the same call may succeed later without anyone changing anything. */
  readonly retriable?: boolean;
  readonly cause?: unknown;
}

/** Base of all expected failures. `code` is stable and safe to match on. */
export class AgentError extends Error {
  readonly code: string;
  readonly retriable: boolean;

  constructor(code: string, message: string, options: AgentErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retriable = options.retriable ?? false;
  }
}

/** The message of anything that was thrown, causes included, on one line. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.message || (error as NodeJS.ErrnoException).code || error.name;
  // OpenSSL's end in a line break.
  const line = own.trim().replaceAll(/\s*[\r\n]+\s*/g, ' ');
  if (error.cause === undefined) return line;
  const cause = describeError(error.cause);
  // Some messages quote their cause already.
  return line.endsWith(cause) ? line : `${line}: ${cause}`;
}

/** Exit codes of both agents; from 64 on they are sysexits.h's: EX_USAGE, EX_UNAVAILABLE, EX_CANTCREAT, EX_CONFIG. */
export const exitCode = {
  stopped: 0,
  failure: 1,
  usage: 64,
  unavailable: 69,
  cannotCreate: 73,
  configuration: 78,
} as const;
