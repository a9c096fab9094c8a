import { type Clock, systemClock } from '@smartstack/agent';
import { checkSchema, createCheck } from '../checks/index.js';
import { probeWithin } from '../checks/deadline.js';
import type { Check } from '../checks/check.js';
import type { CheckResult } from '../health/health.js';
import { HeartbeatBoard, type Heartbeats } from '../heartbeats/board.js';

/** A check made from options as they stand in a file, for a service at this port of the loopback. */
export function checkOf(
  options: Readonly<Record<string, unknown>>,
  port = 1,
  heartbeats: Heartbeats = new HeartbeatBoard(systemClock),
  clock: Clock = systemClock,
): Check {
  const context = { clock, service: 'web', host: '127.0.0.1', port, heartbeats };
  return createCheck(checkSchema.parse(options), context);
}

/** Executes it once, in real time. */
export async function probe(options: Readonly<Record<string, unknown>>, port = 1): Promise<CheckResult> {
  return await probeWithin(checkOf(options, port), systemClock, new AbortController().signal);
}
