import { isIP, isIPv6, type LookupFunction, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { names } from './names.js';
import type { Trace } from './trace.js';

function endpoint(address: string, port: number): string {
  return `${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

/** What sockets take as their `lookup`. Tells the trace of resolving a name, and of beginning to connect. */
export function tracedLookup(
  { host, port }: { readonly host: string; readonly port: number },
  trace: Trace | undefined,
): LookupFunction {
  if (trace === undefined) return names.lookup;
  if (isIP(host) !== 0) {
    // No socket looks an address up.
    trace.step('connect', endpoint(host, port));
    return names.lookup;
  }
  return (name, options, callback) => {
    trace.step('resolve', name);
    names.lookup(name, options, (error, found, family) => {
      if (error === null) {
        const all = typeof found === 'string' ? [found] : found.map(({ address }) => address);
        trace.note(all.join(' '));
        trace.step('connect', all.map((one) => endpoint(one, port)).join(' '));
      }
      callback(error, found, family);
    });
  };
}

/** Tells the trace where the connection goes; a name may have several addresses. */
export function noteConnected(socket: Socket, trace: Trace | undefined): void {
  // Each of these asks the kernel, which a thousand checks need not do for nobody.
  if (trace === undefined) return;
  const { remoteAddress, remotePort = 0, localPort = 0 } = socket;
  if (remoteAddress !== undefined)
    trace.note(`to ${endpoint(remoteAddress, remotePort)} from port ${localPort}`);
}

/** Tells the trace what came of a handshake. */
export function noteSecured(socket: TLSSocket, trace: Trace | undefined): void {
  if (trace === undefined) return;
  const { subject, valid_to: until } = socket.getPeerCertificate();
  // Node's types promise both, of a peer that may have none.
  const name = (subject as { readonly CN?: unknown } | undefined)?.CN;
  const whose = typeof name === 'string' ? `certificate of ${name}` : 'certificate without a name';
  trace.note(`${socket.getProtocol() ?? 'TLS'}, ${whose}, until ${until}`);
  trace.note(socket.authorized ? 'verified' : 'not verified');
}
