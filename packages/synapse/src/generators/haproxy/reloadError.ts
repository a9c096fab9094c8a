import { AgentError } from '@smartstack/agent';

/** A reload or start of HAProxy that did not succeed, or could not be verified. The old worker goes on serving. */
export class ReloadError extends AgentError {
  constructor(message: string, cause?: unknown) {
    super('reload-failed', message, { retriable: true, cause });
  }
}
