import { AgentError } from '@smartstack/agent';

/** What went wrong on a socket of HAProxy. */
export type RuntimeErrorCode =
  /** Nobody listens, or the socket file is gone. */
  | 'runtime-unreachable'
  /** The peer did not answer in time, or did not even accept. */
  | 'runtime-timeout'
  /** The peer closed the connection before it answered. */
  | 'runtime-closed'
  /** A worker answered that a reload has replaced: the next connection reaches its successor. */
  | 'runtime-retired'
  /** The peer speaks something else than HAProxy's CLI. */
  | 'runtime-protocol'
  /** We refuse to send this: it could be read as more than one command. */
  | 'runtime-refused'
  /** HAProxy answered, and the answer is not the one of success. */
  | 'runtime-rejected';

/** A failure on the stats socket or the master CLI. All but a refused command may succeed later. */
export class RuntimeApiError extends AgentError {
  constructor(code: RuntimeErrorCode, message: string, cause?: unknown) {
    super(code, message, { retriable: code !== 'runtime-refused', cause });
  }
}

/** Longest command that HAProxy's CLI takes, newline included, in bytes (haproxy 2.6: `tune.bufsize` less one). */
const maxCommandBytes = 16_383;

/**
 * Throws unless `command` is exactly one command: no control characters, no `;` that would start another,
 * no `\` (the CLI's escape), no `<<` (a payload follows), and short enough for HAProxy's buffer.
 */
export function assertSingleCommand(command: string): void {
  const refuse = (why: string): never => {
    throw new RuntimeApiError('runtime-refused', `refused to send a command that ${why}`);
  };
  if (command.trim() === '') refuse('is empty');
  if (/[\u0000-\u001f\u007f]/.test(command)) refuse('holds control characters');
  if (/[;\\]|<</.test(command)) refuse('holds ";", "\\" or "<<"');
  if (Buffer.byteLength(command) + 1 > maxCommandBytes) refuse(`is longer than ${maxCommandBytes} bytes`);
}

/** The code of a RuntimeApiError (see `RuntimeErrorCode`); undefined for any other error. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof RuntimeApiError ? error.code : undefined;
}
