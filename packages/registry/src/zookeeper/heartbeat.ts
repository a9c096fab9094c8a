import type { Clock, Timer } from '@smartstack/agent';
import type { ZkConnection } from './connection.js';

export interface HeartbeatOptions {
  readonly connection: ZkConnection;
  readonly sessionTimeoutMs: number;
  readonly clock: Clock;
  /** The event loop stood still for so many milliseconds. */
  readonly onLag: (lagMs: number) => void;
}

/**
 * Keeps a connection honest: asks the server something every third of the session's timeout, whatever
 * else goes on (a server counts only what it receives), and hangs up when nothing was received for two
 * thirds, so that a third is left to find another server. Returns the function that stops it.
 */
export function startHeartbeat({ connection, sessionTimeoutMs, clock, onLag }: HeartbeatOptions): () => void {
  const interval = sessionTimeoutMs / 3;
  const silence = (sessionTimeoutMs * 2) / 3;
  const tolerance = sessionTimeoutMs / 6;
  let timer: Timer | undefined;
  let stopped = false;
  let forgiven = false;
  let pingAt = clock.monotonic() + interval;
  let dueAt = 0;

  const ping = (now: number): void => {
    pingAt = now + interval;
    // Only the arrival of an answer counts, whatever it says.
    connection.request('exists', { path: '/', watch: false }, silence).catch(() => undefined);
  };
  const schedule = (at: number): void => {
    dueAt = at;
    timer = clock.setTimeout(tick, Math.max(1, at - clock.monotonic()));
  };
  const tick = (): void => {
    if (stopped) return;
    const now = clock.monotonic();
    const lagMs = now - dueAt;
    if (lagMs > tolerance && !forgiven) {
      // What arrived while the event loop stood still has not been read yet: look again after it was.
      forgiven = true;
      onLag(lagMs);
      ping(now);
      schedule(now + Math.min(tolerance, 250));
      return;
    }
    forgiven = false;
    const idleMs = now - connection.lastReceivedAt;
    if (idleMs >= silence) {
      connection.destroy(`nothing received for ${Math.round(idleMs)} ms`);
      return;
    }
    if (connection.exhausted) {
      connection.destroy('the request numbers of this connection run out');
      return;
    }
    if (now >= pingAt) ping(now);
    schedule(Math.min(pingAt, connection.lastReceivedAt + silence));
  };
  schedule(pingAt);
  return () => {
    stopped = true;
    timer?.cancel();
  };
}
