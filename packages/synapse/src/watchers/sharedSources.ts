import type { Clock, Logger } from '@smartstack/agent';
import { EtcdWatchPool } from '@smartstack/registry';

import { FolderPool } from './files/folderPool.js';
import type { WatcherContext } from './types.js';

/** What the watchers of one agent share, beside sessions with ZooKeeper. Opens nothing before it is asked to. */
export function sharedSources(clock: Clock, logger: Logger): Pick<WatcherContext, 'folders' | 'etcd'> {
  return {
    folders: new FolderPool(clock, logger),
    etcd: new EtcdWatchPool({ clock, logger, random: Math.random }),
  };
}
