import { createMetrics } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { declareMetrics } from '../metrics.js';
import { Orders } from '../orders/orders.js';
import { ProbeGate } from '../probeGate.js';

/** What services need, on a clock of the test's, with orders in memory unless a directory is given. */
export function fakeDeps({
  random = 1,
  limit = 256,
  directory,
}: { random?: number; limit?: number; directory?: string } = {}) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const registry = createMetrics();
  const orders = new Orders({ directory, clock, logger });
  const gate = new ProbeGate(limit);
  const deps = { clock, logger, metrics: declareMetrics(registry), orders, gate, random: () => random };
  return { clock, logger, registry, orders, gate, deps };
}
