import { AgentError, type Clock, within } from '@smartstack/agent';

/** A call that takes longer has failed, in milliseconds. */
const callMs = 10_000;

/** Calls into a module: never two at once, and none is waited for without end. */
export class PluginCalls {
  readonly #clock: Clock;
  readonly #onLate: () => void;
  #underWay: AbortController | undefined;

  /** `onLate` is told when a call that had failed for its length has come to its end after all. */
  constructor(clock: Clock, onLate: () => void) {
    this.#clock = clock;
    this.#onLate = onLate;
  }

  /** Rejects with what the module throws, and after 10 s; while that call goes on, with no further call. */
  async run<T>(call: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
    if (this.#underWay) throw retriable('it has not come back from the last call yet');
    const limit = new AbortController();
    this.#underWay = limit;
    let isLate = false;
    const answer = (async () => ({ value: await call(limit.signal) }))().finally(() => {
      this.#underWay = undefined;
      if (isLate) this.#onLate();
    });
    const found = await within(answer, callMs, this.#clock);
    if (found !== undefined) return found.value;
    isLate = true;
    limit.abort();
    // Whatever comes of it is late.
    answer.catch(() => undefined);
    throw retriable(`it did not answer within ${callMs / 1000} s`);
  }

  /** Tells the call under way that nobody wants its result any more. */
  abort(): void {
    this.#underWay?.abort();
  }
}

function retriable(problem: string): AgentError {
  return new AgentError('reporter', problem, { retriable: true });
}
