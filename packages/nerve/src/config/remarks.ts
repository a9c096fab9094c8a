import type * as z from 'zod';
import type { serviceSchema } from './service.js';

type ServiceValue = z.output<typeof serviceSchema>;

/** A remark about one key of a service's definition. */
export interface Remark {
  readonly key: string;
  readonly message: string;
}

/** What is valid, and yet probably not what its author wants. */
export function remarks(value: ServiceValue): readonly Remark[] {
  const found: Remark[] = [];
  const warn = (key: string, message: string): void => void found.push({ key, message });
  if (typeof value.port === 'string') {
    warn('port', 'A quoted port is published as text, which Prometheus cannot read: remove the quotes');
  }
  const limits = value.rateLimiting;
  if (limits?.averageRate !== undefined && limits.shadowMode) {
    warn('rate_limiting.shadow_mode', 'The limits have no effect until this is false');
  }
  if (value.ttlSeconds !== undefined && value.nodeType?.startsWith('persistent') !== true) {
    warn('ttl_seconds', 'Only persistent nodes are renewed');
  }
  if (value.weight !== undefined && value.weight > 256) {
    warn('weight', 'HAProxy takes weights up to 256');
  }
  return found;
}
