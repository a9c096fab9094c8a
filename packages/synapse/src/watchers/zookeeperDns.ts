import * as z from 'zod';

import { discoveryBase } from '../config/fields.js';
import { type OpenNameServer, openNameServer } from './names/nameServer.js';
import { followResolved } from './names/resolvedService.js';
import { resolvingKeys } from './names/resolving.js';
import { defineWatcher } from './types.js';
import { followService, watchChildren } from './znodes/followService.js';
import { pollingIntervalMs, pollingKeys, znodeAdvice, znodeKeys } from './znodes/keys.js';
import { pollChildren } from './znodes/pollChildren.js';

/** A zookeeper_dns watcher over other name servers than the machine's. */
export function zookeeperDnsWatcherOver(openNames: OpenNameServer) {
  return defineWatcher({
    method: 'zookeeper_dns',
    options: () =>
      z.object({
        method: z.literal('zookeeper_dns'),
        ...znodeKeys,
        ...resolvingKeys(),
        ...discoveryBase,
      }),
    lint: znodeAdvice,
    create: (given, context) => ({
      run: (emit, signal) =>
        followResolved(
          given,
          openNames,
          (take, inner) => followService(given, watchChildren, context, take, inner),
          context,
          emit,
          signal,
        ),
    }),
  });
}

/** The same by asking now and then. */
export function zookeeperDnsPollWatcherOver(openNames: OpenNameServer) {
  return defineWatcher({
    method: 'zookeeper_dns_poll',
    options: () =>
      z.object({
        method: z.literal('zookeeper_dns_poll'),
        ...znodeKeys,
        ...pollingKeys(),
        ...resolvingKeys(),
        ...discoveryBase,
      }),
    lint: znodeAdvice,
    create: (given, context) => ({
      run: (emit, signal) => {
        const open = pollChildren(pollingIntervalMs(given), context.clock, context.logger);
        return followResolved(
          given,
          openNames,
          (take, inner) => followService(given, open, context, take, inner),
          context,
          emit,
          signal,
        );
      },
    }),
  });
}

/** Instances from the children of a znode, whose hosts are names that are resolved again and again. */
export const zookeeperDnsWatcher = zookeeperDnsWatcherOver(openNameServer);
export const zookeeperDnsPollWatcher = zookeeperDnsPollWatcherOver(openNameServer);
