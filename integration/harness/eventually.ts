export interface EventuallyOptions {
  /** What is awaited, for the failure's message: "the node is gone". */
  readonly what: string;
  /** 15 s unless told: what takes milliseconds here may take seconds on a machine that has much else to do. */
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/**
 * Asks `condition` until it returns something truthy, and returns that. A condition that throws counts
 * as "not yet", so that assertions can be awaited too; the last failure is the cause of the time-out.
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = 15_000, intervalMs = 5 }: EventuallyOptions,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const cause = last instanceof Error ? last : new Error(`the last answer was ${String(last)}`);
      throw new Error(`not within ${timeoutMs} ms: ${what} (${cause.message})`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

/** Fails when `condition` stops holding during `forMs`; for "nothing happens", which has no event to await. */
export async function holds(
  condition: () => boolean | Promise<boolean>,
  {
    what,
    forMs,
    intervalMs = 10,
  }: { readonly what: string; readonly forMs: number; readonly intervalMs?: number },
): Promise<void> {
  const end = performance.now() + forMs;
  while (performance.now() < end) {
    if (!(await condition())) throw new Error(`no longer holds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
