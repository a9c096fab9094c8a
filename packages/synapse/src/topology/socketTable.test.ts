import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSocket } from './socketTable.js';

const ports = new Set([3213]);
const read = (line: string) => readSocket(line, ports, 'LE');
/** As the kernel writes them, with the spaces at their ends. */
const rest = '00000000:00000000 02:000A9C63 00000000';
const client = `   7: 0100007F:C350 0100007F:0C8D 01 ${rest}  1001        0 48213 2 0000000000000000 20 4 30 10 -1 `;

describe('a line of /proc/net/tcp', () => {
  it('is a socket, with its user', () => {
    expect(read(client)).toEqual({
      ...{ local: { host: '127.0.0.1', port: 50_000 }, remote: { host: '127.0.0.1', port: 3213 } },
      ...{ uid: 1001, state: 'established' },
    });
  });

  it('is nothing when its ports are none of ours, when it is the header, or no process has it any more', () => {
    expect(readSocket(client, new Set([80]), 'LE')).toBeUndefined();
    expect(
      read('  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid'),
    ).toBeUndefined();
    // In TIME_WAIT, and closed by its process: the kernel says user 0 of both.
    expect(read(client.replace(' 01 ', ' 06 '))).toBeUndefined();
    expect(read(client.replace('48213', '0'))).toBeUndefined();
  });

  it('has IPv6 addresses as they are written, and IPv4 ones for those that are mapped', () => {
    // Both ends are of one family, as the kernel has them.
    const line = (local: string): string => {
      const remote = local.length === 8 ? '0100007F' : '0000000000000000FFFF00000100007F';
      return client.replace('0100007F:C350', `${local}:C350`).replace('0100007F:0C8D', `${remote}:0C8D`);
    };
    const hostOf = (hex: string) => read(line(hex))?.local.host;
    expect(hostOf('0000000000000000FFFF00000100007F')).toBe('127.0.0.1');
    expect(hostOf('00000000000000000000000001000000')).toBe('::1');
    expect(hostOf('00000000000000000000000000000000')).toBe('::');
    expect(hostOf('B80D0120000000000000000001000000')).toBe('2001:db8::1');
    expect(hostOf('B80D0120010002000300040005000600')).toBe('2001:db8:2:1:4:3:6:5');
    expect(readSocket(line('7F000001'), ports, 'BE')?.local.host).toBe('127.0.0.1');
  });

  it('never throws, whatever it holds, and is read back whatever the kernel may write', () => {
    fc.assert(fc.property(fc.string(), (text) => void read(text)));
    fc.assert(
      fc.property(
        fc.tuple(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 65_535 })),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.integer({ min: 1, max: 2 ** 40 }),
        ([address, port], uid, inode) => {
          const hex = address.toString(16).toUpperCase().padStart(8, '0');
          const at = port.toString(16).toUpperCase().padStart(4, '0');
          const line = `12345: ${hex}:${at} 0100007F:0C8D 01 ${rest} ${String(uid).padStart(5)}        0 ${inode} 1 `;
          const found = read(line)!;
          const bytes = found.local.host.split('.').map(Number);
          expect(Buffer.from(bytes).readUInt32LE()).toBe(address);
          expect(found).toMatchObject({ uid, local: { port } });
        },
      ),
    );
  });
});
