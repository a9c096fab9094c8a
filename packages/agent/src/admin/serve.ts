import { describeError } from '../errors.js';
import type { AdminAddress, AdminOptions } from './types.js';

/** How often a taken address is tried again, in milliseconds. */
const retryMs = 1_000;

export interface ServeAdminOptions extends AdminOptions {
  /** Told where the server listens, once it does. */
  readonly onListening?: (addresses: readonly AdminAddress[]) => void;
}

/**
 * Serves the admin API until `signal` aborts. An address that another process holds is no reason not
 * to run: the agent before this one may still be ending. It is tried again.
 */
export async function serveAdmin(options: ServeAdminOptions, signal: AbortSignal): Promise<void> {
  const { clock, logger, onListening } = options;
  // Not before it is asked for: the server of Node.js takes a while to load.
  const { AdminServer } = await import('./server.js');
  let failed: string | undefined;
  while (!signal.aborted) {
    try {
      const server = await AdminServer.listen(options);
      if (options.listen.length > 0) logger.info('admin API is listening', { addresses: server.addresses });
      onListening?.(server.addresses);
      await server.run(signal);
    } catch (error) {
      const message = describeError(error);
      if (message !== failed) logger.warn('no admin API for now', { error: message });
      failed = message;
      await clock.sleep(retryMs, signal);
    }
  }
}
