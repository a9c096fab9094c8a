/**
 * Bounds how many probes are under way at once, over all services. First come, first served; each service has
 * one probe at a time, so that none can crowd out the others. Below the limit it costs nothing.
 */
export class ProbeGate {
  #limit: number;
  #inside = 0;
  readonly #queue = new Set<() => void>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes effect at once for who comes, and for who is inside as they leave. */
  set limit(limit: number) {
    this.#limit = limit;
    this.#admit();
  }

  get inside(): number {
    return this.#inside;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** Takes a place if one is free and nobody waits for it; then `leave` must follow. */
  tryEnter(): boolean {
    if (this.#inside >= this.#limit || this.#queue.size > 0) return false;
    this.#inside += 1;
    return true;
  }

  /** Waits for a place; then `leave` must follow. Rejects, without a place, when `signal` aborts. */
  enter(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const abandon = (): void => {
        this.#queue.delete(admit);
        reject(signal.reason as Error);
      };
      const admit = (): void => {
        signal.removeEventListener('abort', abandon);
        resolve();
      };
      signal.addEventListener('abort', abandon, { once: true });
      this.#queue.add(admit);
      this.#admit();
    });
  }

  /** Gives a place back. */
  leave(): void {
    this.#inside -= 1;
    this.#admit();
  }

  #admit(): void {
    for (const admit of this.#queue) {
      if (this.#inside >= this.#limit) return;
      this.#queue.delete(admit);
      this.#inside += 1;
      admit();
    }
  }
}
