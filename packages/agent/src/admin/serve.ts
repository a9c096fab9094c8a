import { describeError } from '../errors.js';
import { run, type Task, untilAborted } from '../run.js';
import type { AdminAddress, AdminOptions } from './types.js';

/** How often a taken address is tried again, in milliseconds. */
const retryMs = 1_000;

export interface ServeAdminOptions extends AdminOptions {
  /** Told where the server listens, once it does everywhere. */
  readonly onListening?: (addresses: readonly AdminAddress[]) => void;
}

/**
 * Serves the admin API until `signal` aborts. An address that another process holds is no reason not to run, nor not to
 * listen on the others: the agent before this one may still be ending, or anybody may have taken a port. It is tried again.
 */
export async function serveAdmin(options: ServeAdminOptions, signal: AbortSignal): Promise<void> {
  const { clock, logger, listen, onListening } = options;
  // Not before it is asked for: the server of Node.js takes a while to load.
  const [{ AdminServer }, { createHandler }] = await Promise.all([
    import('./server.js'),
    import('./handler.js'),
  ]);
  // One for all: what routes need is made once.
  const handler = createHandler(options);
  const found = new Map<AdminAddress, readonly AdminAddress[]>();
  const serve = async (address: AdminAddress, both: AbortSignal): Promise<void> => {
    let failed: string | undefined;
    while (!both.aborted) {
      try {
        const server = await AdminServer.listen({ ...options, listen: [address] }, handler);
        const { addresses } = server;
        logger.info('admin API is listening', { addresses });
        found.set(address, addresses);
        if (found.size === listen.length) onListening?.(listen.flatMap((one) => found.get(one) ?? []));
        await server.run(both);
      } catch (error) {
        const message = describeError(error);
        if (message !== failed) logger.warn('no admin API for now', { error: message });
        failed = message;
        await clock.sleep(retryMs, both);
      }
    }
  };
  const tasks = listen.map(
    (address): Task =>
      (both) =>
        serve(address, both),
  );
  await run([...tasks, untilAborted], signal);
}
