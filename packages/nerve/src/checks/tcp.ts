import { connect } from 'node:net';
import { describeError } from '@smartstack/agent';
import { seconds, withDefault } from '../config/values.js';
import type { CheckResult } from '../health/health.js';
import { defaultName, defineCheck, target } from './check.js';
import { noteConnected, tracedLookup } from './connecting.js';
import type { Trace } from './trace.js';

/** Passes when a TCP connection is accepted within `timeout`. Nothing is sent. */
export const tcpCheck = defineCheck({
  type: 'tcp',
  options: {
    timeout: withDefault(seconds, 0.1).describe('Seconds within which the connection must be accepted.'),
  },
  create: (options, context) => {
    const address = target(options, context);
    return {
      name: options.name ?? defaultName('tcp', options, context),
      deadlineMs: options.timeout * 1000,
      probe: (signal, trace) => connectOnce(address, signal, trace),
    };
  },
});

function connectOnce(
  address: { host: string; port: number },
  signal: AbortSignal,
  trace: Trace | undefined,
): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ ...address, lookup: tracedLookup(address, trace) });
    const settle = (result: CheckResult): void => {
      socket.destroy();
      resolve(result);
    };
    signal.addEventListener('abort', () => settle({ ok: false, reason: 'aborted' }), { once: true });
    socket.once('error', (error) => settle({ ok: false, reason: describeError(error) }));
    socket.once('connect', () => {
      noteConnected(socket, trace);
      // A port of the ephemeral range without a listener can meet itself (simultaneous open).
      const self = socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
      settle(self ? { ok: false, reason: 'nothing listens: connected to itself' } : { ok: true });
    });
  });
}
