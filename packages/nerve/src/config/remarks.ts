import type * as z from 'zod';
import { distinctNames } from '../checks/distinctNames.js';
import type { serviceSchema } from './service.js';

type ServiceValue = z.output<typeof serviceSchema>;

/** A remark about one key of a service's definition. */
export interface Remark {
  readonly key: string;
  readonly message: string;
  /** Where the key stands below the definition; at its top by default. */
  readonly below?: readonly PropertyKey[];
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
  found.push(...sameNames(value.checks));
  return found;
}

/** Checks that have the name of an earlier one. */
function sameNames(checks: ServiceValue['checks']): readonly Remark[] {
  const given = checks.map(({ name }, index) => name ?? index);
  const distinct = distinctNames(given.map(String));
  return given.flatMap((name, index) => {
    if (given.indexOf(name) === index) return [];
    const message = `Another check has this name: this one is ${JSON.stringify(distinct[index])} in status and metrics; give it a name of its own`;
    return [{ key: 'name', message, below: ['checks', index] }];
  });
}
