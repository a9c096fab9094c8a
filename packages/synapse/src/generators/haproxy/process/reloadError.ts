import { AgentError } from '@smartstack/agent';
import type { ConfigMessage } from '../file/configMessages.js';

interface ReloadErrorOptions {
  readonly cause?: unknown;
  readonly messages?: readonly ConfigMessage[];
  readonly action?: 'start' | 'reload';
  readonly isSilent?: boolean;
}

/** A reload or start of HAProxy that did not succeed, or could not be verified. The old worker goes on serving. */
export class ReloadError extends AgentError {
  /** Whose fault it was, where HAProxy said so. */
  readonly messages: readonly ConfigMessage[];
  /** What did not succeed. */
  readonly action: 'start' | 'reload';

  /** HAProxy was asked for nothing: it stands still. There is nothing to blame, and only to wait. */
  readonly isSilent: boolean;

  constructor(
    message: string,
    { cause, messages = [], action = 'reload', isSilent = false }: ReloadErrorOptions = {},
  ) {
    super('reload-failed', message, { retriable: true, cause });
    this.messages = messages;
    this.action = action;
    this.isSilent = isSilent;
  }
}
