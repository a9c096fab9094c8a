/** How long an instance that is to end goes on serving: until its check has failed twice and all users know. */
const farewellMs = 3_000;

/**
 * Ends an instance at SIGTERM without harm to anybody: its health check fails at once, it goes on serving until
 * nobody is sent to it any more, and only then stops listening. To close at once would reset connections that the
 * kernel has accepted and the instance has not yet seen.
 */
export function leaveAtSigterm(failCheck: () => void, stopListening: () => void): void {
  process.once('SIGTERM', () => {
    failCheck();
    setTimeout(stopListening, farewellMs);
  });
}
