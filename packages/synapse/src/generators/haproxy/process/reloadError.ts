import { AgentError } from '@smartstack/agent';
import type { ConfigMessage } from '../file/configMessages.js';

/** A reload or start of HAProxy that did not succeed, or could not be verified. The old worker goes on serving. */
export class ReloadError extends AgentError {
  /** Whose fault it was, where HAProxy said so. */
  readonly messages: readonly ConfigMessage[];

  constructor(message: string, cause?: unknown, messages: readonly ConfigMessage[] = []) {
    super('reload-failed', message, { retriable: true, cause });
    this.messages = messages;
  }
}
