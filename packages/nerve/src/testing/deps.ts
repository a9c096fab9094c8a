import { createMetrics } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { declareMetrics } from '../metrics.js';
import { Orders } from '../orders/orders.js';
import { ProbeGate } from '../probeGate.js';

/** What services need, on a clock of the test's, with orders in memory. */
export function fakeDeps({ random = 1, limit = 256 }: { random?: number; limit?: number } = {}) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const registry = createMetrics();
  const orders = new Orders({ spool: undefined, clock, logger });
  const gate = new ProbeGate(limit);
  const deps = { clock, logger, metrics: declareMetrics(registry), orders, gate, random: () => random };
  return { clock, logger, registry, orders, gate, deps };
}
