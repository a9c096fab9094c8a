import * as z from 'zod';

import { discoveryBase } from '../config/fields.js';
import { defineWatcher } from './types.js';
import { watchChildren, znodeWatcher } from './znodes/followService.js';
import { znodeAdvice, znodeKeys } from './znodes/keys.js';

/** Instances from the children of a znode, which nerve or a serverset writer registers. */
export const zookeeperWatcher = defineWatcher({
  method: 'zookeeper',
  options: () => z.object({ method: z.literal('zookeeper'), ...znodeKeys, ...discoveryBase }),
  lint: znodeAdvice,
  create: (given, context) => znodeWatcher(given, watchChildren, context),
});
