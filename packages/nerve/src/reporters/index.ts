import { zookeeperReporter } from './zookeeper.js';

/** Every kind of reporter there is: the only list. */
export const reporters = { zookeeper: zookeeperReporter } as const;
