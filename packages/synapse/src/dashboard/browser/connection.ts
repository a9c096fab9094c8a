import { ApiError } from './api.js';
import { clock } from './clock.js';

/** Whether the agent answers; where not, since when. */
export type Contact =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'lost'; readonly since: number };

/** Asks again and again, and knows whether there is an answer. */
export class Connection {
  #contact: Contact = { kind: 'connecting' };
  readonly #onContact: (contact: Contact) => void;

  constructor(onContact: (contact: Contact) => void) {
    this.#onContact = onContact;
  }

  get contact(): Contact {
    return this.#contact;
  }

  /**
   * Asks at once and then each `everyMs` until `signal` aborts; not while the page is hidden. What is refused is told
   * to `onRefused`; while there is no answer, what is shown stays.
   */
  async feed<T>(
    ask: (signal: AbortSignal) => Promise<T>,
    everyMs: number | ((answer: T | undefined) => number),
    onAnswer: (answer: T) => void,
    signal: AbortSignal,
    onRefused?: (error: ApiError) => void,
  ): Promise<void> {
    let last: T | undefined;
    while (!signal.aborted) {
      try {
        last = await ask(signal);
        if (isAborted(signal)) return;
        this.#heard();
        onAnswer(last);
      } catch (error) {
        if (isAborted(signal)) return;
        if (!(error instanceof ApiError)) throw error;
        if (error.status === 0) this.#missed();
        else {
          this.#heard();
          onRefused?.(error);
        }
      }
      const waitMs =
        this.#contact.kind === 'lost' ? 1_000 : typeof everyMs === 'number' ? everyMs : everyMs(last);
      await clock.sleep(waitMs, signal);
      await visible(signal);
    }
  }

  #heard(): void {
    if (this.#contact.kind !== 'live') this.#become({ kind: 'live' });
  }

  #missed(): void {
    if (this.#contact.kind !== 'lost') this.#become({ kind: 'lost', since: clock.now() });
  }

  #become(contact: Contact): void {
    this.#contact = contact;
    this.#onContact(contact);
  }
}

/** It changes while something is awaited, which the compiler does not see. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Resolves when somebody can see the page. */
function visible(signal: AbortSignal): Promise<void> {
  if (!document.hidden || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      document.removeEventListener('visibilitychange', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    document.addEventListener('visibilitychange', done);
    signal.addEventListener('abort', done);
  });
}
