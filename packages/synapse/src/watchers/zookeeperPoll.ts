import * as z from 'zod';

import { discoveryBase } from '../config/fields.js';
import { defineWatcher } from './types.js';
import { znodeWatcher } from './znodes/followService.js';
import { pollingIntervalMs, pollingKeys, znodeAdvice, znodeKeys } from './znodes/keys.js';
import { pollChildren } from './znodes/pollChildren.js';

/** As `zookeeper`, but it asks now and then instead of setting watches. */
export const zookeeperPollWatcher = defineWatcher({
  method: 'zookeeper_poll',
  options: () =>
    z.object({
      method: z.literal('zookeeper_poll'),
      ...znodeKeys,
      ...pollingKeys(),
      ...discoveryBase,
    }),
  lint: znodeAdvice,
  create: (given, context) =>
    znodeWatcher(given, pollChildren(pollingIntervalMs(given), context.clock, context.logger), context),
});
