import { systemClock, type Clock } from '@smartstack/agent';
import { TransportConnection } from './transportConnection.js';
import { assertLibrary } from './transportLibrary.js';
import type { DialResult, DialSpec, ZkTransport } from './connection.js';

export interface TransportOptions {
  readonly clock?: Clock;
  /** Number of each connection's first request; tests start near the end of the range. */
  readonly firstXid?: number;
}

/** The wire, one object per TCP connection, with node-zookeeper-client as the codec. */
export function createTransport({ clock = systemClock, firstXid = 1 }: TransportOptions = {}): ZkTransport {
  assertLibrary();
  const habits = { readsBulk: true };
  return {
    dial: (spec: DialSpec, signal: AbortSignal): Promise<DialResult> =>
      new TransportConnection(spec, clock, firstXid, habits).open(signal),
  };
}
