import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endpoint, parseListeners, reachOf } from './listeners.js';

const header =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const line = (local: string, state = '0A', uid = '112', inode = '20001'): string =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000   ${uid}        0 ${inode} 1 0000000098d276ff 100 0 0 10 0\n`;

describe('parseListeners', () => {
  it.each([
    ['0100007F:18EB', '127.0.0.1', 6379],
    ['00000000:0050', '0.0.0.0', 80],
    ['00000000000000000000000000000000:1F90', '::', 8080],
    ['00000000000000000000000001000000:1538', '::1', 5432],
    ['B80D0120000000000000000005000000:01BB', '2001:db8::5', 443],
    // Java listens on IPv4 through IPv6.
    ['0000000000000000FFFF00000500000A:0885', '10.0.0.5', 2181],
  ])('reads %s as the kernel of a small-endian machine prints it', (local, address, port) => {
    expect(parseListeners(header + line(local), true)).toEqual([{ address, port, inode: '20001', uid: 112 }]);
  });

  it('reads addresses of a big-endian machine', () => {
    const [v4, v6] = parseListeners(
      line('0A000005:0050') + line('20010DB8000000000000000000000005:0050'),
      false,
    );
    expect([v4?.address, v6?.address]).toEqual(['10.0.0.5', '2001:db8::5']);
  });

  it('leaves out what does not listen, and what it does not understand', () => {
    const text = [
      ...[header, line('0100007F:1F90', '01'), line('0100007F:1F90', '06'), line('0100007F:0000')],
      ...[
        line('0100007F1F90'),
        line('0100007:1F90'),
        line('XX00007F:1F90'),
        'short',
        '\0\0',
        line('0100007F:1F90', '0A', '-1'),
      ],
      ...[line('0100007F:1F90', '0A', '0', 'x'), line('0100007F0100007F:1F90')],
    ];
    expect(parseListeners(text.join('\n'), true)).toEqual([]);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (text, little) => {
        expect(parseListeners(header + text + line(text.slice(0, 40)), little).length).toBeLessThan(2);
      }),
    );
  });
});

describe('reachOf', () => {
  it.each([
    ['0.0.0.0', 'anywhere'],
    ['::', 'anywhere'],
    ['127.0.0.53', 'loopback'],
    ['::1', 'loopback'],
    ['fe80::1', 'link'],
    ['169.254.1.1', 'link'],
    ['fd00::1', 'address'],
    ['10.0.0.5', 'address'],
  ])('knows that %s is for %s', (address, reach) => {
    expect(reachOf(address)).toBe(reach);
  });
});

describe('endpoint', () => {
  it('puts IPv6 in brackets', () => {
    expect([endpoint('::1', 80), endpoint('127.0.0.1', 80)]).toEqual(['[::1]:80', '127.0.0.1:80']);
  });
});
