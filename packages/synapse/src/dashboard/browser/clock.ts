/** The browser's time; the only module that asks for it. */
export const clock = {
  /** Wall clock milliseconds. */
  now: (): number => Date.now(),
  /** Resolves after so many milliseconds, or at once when `signal` aborts. */
  sleep: (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    }),
};
