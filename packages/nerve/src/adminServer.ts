import { AdminServer, type AdminOptions, type Clock, describeError } from '@smartstack/agent';

const retryMs = 1_000;

/**
 * Serves the admin API until `signal` aborts. An address that another process holds is no reason not
 * to run: an old nerve may still be there while the new one takes over. It is tried again.
 */
export async function serveAdmin(options: AdminOptions, clock: Clock, signal: AbortSignal): Promise<void> {
  let failed: string | undefined;
  while (!signal.aborted) {
    try {
      const server = await AdminServer.listen(options);
      options.logger.info('admin API is listening', { addresses: server.addresses });
      await server.run(signal);
    } catch (error) {
      const message = describeError(error);
      if (message !== failed) options.logger.warn('no admin API for now', { error: message });
      failed = message;
      await clock.sleep(retryMs, signal);
    }
  }
}
