import * as z from 'zod';

import type { Snapshot } from '../catalog/types.js';
import { discoveryBase, labels, port } from '../config/fields.js';
import { type OpenNameServer, openNameServer } from './names/nameServer.js';
import type { NamedServer } from './names/resolution.js';
import { failureOf, Resolving, resolvingKeys } from './names/resolving.js';
import { Repeater } from './source/repeater.js';
import { SourceState } from './source/sourceState.js';
import { defineWatcher, type WatcherContext } from './types.js';

/** More are somebody's mistake. */
const maxServers = 1_000;

const server = () =>
  z
    .object({
      host: z.string().min(1).max(255),
      type: z.enum(['a', 'aaaa', 'srv']).nullish(),
      port: port.nullish(),
      name: z.string().nullish(),
      weight: z.number().min(0).nullish(),
      haproxy_server_options: z.string().nullish(),
      labels: labels.nullish(),
    })
    .transform((given): NamedServer => {
      const { type, haproxy_server_options: haproxyServerOptions, host, ...rest } = given;
      const entries = Object.entries({ ...rest, haproxyServerOptions }).filter(([, value]) => value != null);
      // Without a port of their own, instances have that of the service's backend_port_override, or none.
      const port = type === 'srv' ? {} : { port: 0 };
      return { type: type ?? undefined, instance: { host, ...port, ...Object.fromEntries(entries) } };
    });

const options = () =>
  z.object({
    method: z.literal('dns'),
    servers: z
      .array(server())
      .min(1)
      .max(maxServers)
      .describe(
        'The names to resolve: `host`, `port`, and `name`, `labels`, `weight`, `haproxy_server_options`. With `type: srv` the name has SRV records, which tell the port.',
      ),
    ...resolvingKeys(),
    ...discoveryBase,
  });

/** A dns watcher over other name servers than the machine's. */
export function dnsWatcherOver(open: OpenNameServer) {
  return defineWatcher({
    method: 'dns',
    options,
    portless: ({ servers }) =>
      servers.flatMap(({ type, instance }, at) =>
        type === 'srv' || instance.port !== 0
          ? []
          : [
              {
                path: ['servers', at, 'port'],
                message: 'Required, unless the type is srv, or the service has a backend_port_override',
                severity: 'error',
              },
            ],
      ),
    create: (given, context) => ({ run: (emit, signal) => watch(given, open, context, emit, signal) }),
  });
}

/** Instances from the addresses, or the SRV records, of names. */
export const dnsWatcher = dnsWatcherOver(openNameServer);

async function watch(
  given: z.output<ReturnType<typeof options>>,
  open: OpenNameServer,
  context: WatcherContext,
  emit: (snapshot: Snapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  const state = new SourceState(context, 'dns', emit);
  const resolving = new Resolving(given, context.clock, open);
  const look = async (inner: AbortSignal): Promise<number> => {
    const found = await resolving.look(given.servers, inner);
    const failure = failureOf(found);
    if (failure !== undefined) context.events?.dnsFailed(context.service);
    if (failure === undefined) state.live(found);
    // Of names that were never resolved nothing is known: the others alone are no empty list.
    else state.lost(failure, found.complete || found.instances.length > 0 ? found : undefined);
    return found.nextMs;
  };
  await new Repeater(context.clock).run(look, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
