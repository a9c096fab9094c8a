import { describe, expect, it } from 'vitest';
import { ownAddress, parseRange, parseUsers } from './machine.js';

const at = (address: string, internal = false) => ({
  address,
  family: address.includes(':') ? 'IPv6' : 'IPv4',
  internal,
});
const header = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n';
const route = (name: string, destination: string, metric: number, mask: string): string =>
  `${name}\t${destination}\t010200C0\t0003\t0\t0\t${metric}\t${mask}\t0\t0\t0\n`;

describe('ownAddress', () => {
  const interfaces = {
    lo: [at('127.0.0.1', true), at('::1', true)],
    docker0: [at('172.17.0.1')],
    eth0: [at('fe80::1'), at('2001:db8::1'), at('10.0.0.5')],
    eth1: [at('10.9.0.5')],
  };

  it('takes the interface with the default route of the lowest metric, and IPv4 before IPv6', () => {
    const routes = [
      ...[header, route('eth0', '000200C0', 0, '00FFFFFF'), route('eth0', '00000000', 200, '00000000')],
      ...[route('eth1', '00000000', 100, '00000000'), route('docker0', '00000000', 0, '00000080')],
    ];
    expect(ownAddress(interfaces, routes.join(''))).toEqual({ address: '10.9.0.5', interface: 'eth1' });
    expect(ownAddress(interfaces, header + route('eth0', '00000000', 0, '00000000'))).toEqual({
      address: '10.0.0.5',
      interface: 'eth0',
    });
  });

  it('takes any other rather than a bridge, and a bridge rather than none', () => {
    expect(ownAddress(interfaces, '')?.interface).toBe('eth0');
    const { lo, docker0 } = interfaces;
    expect(ownAddress({ lo, docker0 }, 'garbage')?.address).toBe('172.17.0.1');
    expect(ownAddress({ lo, eth0: [at('fe80::1')] }, '')).toBeUndefined();
  });
});

describe('parseRange', () => {
  it.each([
    ['1024\t65000\n', [1024, 65_000]],
    ['', [32_768, 60_999]],
    ['a b', [32_768, 60_999]],
  ])('reads %j', (text, range) => {
    expect(parseRange(text)).toEqual(range);
  });
});

describe('parseUsers', () => {
  it('reads names, and lets the first of a number count', () => {
    const text = 'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbad\n:x:3:\nx:y:z\nweb:x:33:33::/:\n';
    expect([...parseUsers(text)].sort(([a], [b]) => a - b)).toEqual([
      [0, 'root'],
      [33, 'web'],
    ]);
  });
});
