import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '@smartstack/agent';
import type { Order } from './order.js';
import { type OrderKey, serviceOf } from './spool.js';

/** Where a change comes from: nowhere in particular, or from whom. */
export interface Origin {
  readonly from?: 'file' | 'expiry';
  readonly by?: string;
}

/** Tells what has changed of one key's orders, and who wants it so. */
export function logChange(
  logger: Logger,
  key: OrderKey,
  [before, after]: readonly [Order, Order],
  { from, by: whose }: Origin,
): void {
  const service = serviceOf(key);
  const fields = {
    ...(service === undefined ? { scope: 'host' } : { service }),
    ...(from === undefined ? {} : { from }),
  };
  if (!isDeepStrictEqual(before.drain, after.drain)) {
    const { reason, by, until } = after.drain ?? {};
    const more = { reason, by, ...(until === undefined ? {} : { until: new Date(until).toISOString() }) };
    if (after.drain) logger.warn('drain ordered', { ...fields, ...more });
    else logger.warn('drain over', { ...fields, ...(whose === undefined ? {} : { by: whose }) });
  }
  if (!isDeepStrictEqual(before.weight, after.weight)) {
    const { value, by } = after.weight ?? {};
    if (after.weight) logger.info('weight ordered', { ...fields, weight: value, by });
    else logger.info('weight is the configured one again', fields);
  }
}
