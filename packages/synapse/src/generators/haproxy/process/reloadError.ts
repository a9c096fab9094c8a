import { AgentError } from '@smartstack/agent';
import type { ConfigMessage } from '../file/configMessages.js';

interface ReloadErrorOptions {
  readonly cause?: unknown;
  readonly messages?: readonly ConfigMessage[];
  readonly action?: 'start' | 'reload';
}

/** A reload or start of HAProxy that did not succeed, or could not be verified. The old worker goes on serving. */
export class ReloadError extends AgentError {
  /** Whose fault it was, where HAProxy said so. */
  readonly messages: readonly ConfigMessage[];
  /** What did not succeed. */
  readonly action: 'start' | 'reload';

  constructor(message: string, { cause, messages = [], action = 'reload' }: ReloadErrorOptions = {}) {
    super('reload-failed', message, { retriable: true, cause });
    this.messages = messages;
    this.action = action;
  }
}
