import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalAddress, isAddress, serverAddress, serverName } from './names.js';

describe('server names', () => {
  it('are built as Ruby builds them', () => {
    expect(serverName({ host: '10.0.0.1', port: 80, name: 'i-0abc' })).toEqual({
      value: 'i-0abc_10.0.0.1:80',
    });
    expect(serverName({ host: 'web.example', port: 80, name: '' })).toEqual({ value: 'web.example:80' });
    expect(serverName({ host: '::1', port: 80 })).toEqual({ value: '::1:80' });
  });

  it.each([
    [{ host: 'a b', port: 80 }, 'host "a b" is neither'],
    [{ host: '', port: 80 }, 'host ""'],
    [{ host: '/run/x.sock', port: 80 }, 'host "/run/x.sock"'],
    [{ host: 'fd@3', port: 80 }, 'host "fd@3"'],
    [{ host: 'fe80::1%eth0', port: 80 }, 'host "fe80::1%eth0"'],
    [{ host: '10.0.0.1', port: 0 }, 'port 0 '],
    [{ host: '10.0.0.1', port: 70_000 }, 'port 70000 '],
    [{ host: '10.0.0.1', port: 80.5 }, 'port 80.5 '],
    [{ host: '10.0.0.1', port: '80' as unknown as number }, 'port "80" '],
    [{ host: '10.0.0.1', port: 80, name: 'a\nb' }, String.raw`name "a\nb" `],
    [{ host: '10.0.0.1', port: 80, name: 'a/b' }, 'name "a/b" '],
    [{ host: '10.0.0.1', port: 80, name: 'é' }, 'name "é" '],
    [{ host: '10.0.0.1', port: 80, name: 5 as unknown as string }, 'name 5 '],
  ])('refuse %j', (instance, reason) => {
    expect(serverName(instance)).toEqual({ reason: expect.stringContaining(reason) as string });
  });

  it('stay distinct and bounded when very long', () => {
    const long = (end: string) =>
      serverName({ host: '10.0.0.1', port: 80, name: `${'x'.repeat(5000)}${end}` });
    const [one, two] = [long('1'), long('2')];
    expect(one).not.toEqual(two);
    expect('value' in one && one.value).toMatch(/^x{238}-[0-9a-f]{16}$/);
  });
});

describe('addresses', () => {
  it('are literals, or what a name was resolved to', () => {
    const addresses = new Map([
      ['web.example', '10.0.0.9'],
      ['odd.example', 'unix@/x'],
    ]);
    expect(serverAddress('10.0.0.1', addresses)).toEqual({ value: '10.0.0.1' });
    expect(serverAddress('web.example', addresses)).toEqual({ value: '10.0.0.9' });
    expect(serverAddress('2001:DB8:0::1', addresses)).toEqual({ value: '2001:db8::1' });
    for (const host of ['other.example', 'odd.example', '0.0.0.0', '::', '0:0::0', '127.1', '1.2.3.4.5']) {
      expect(serverAddress(host, addresses)).toHaveProperty('reason');
    }
  });

  it("have one spelling, which is HAProxy's", () => {
    const long = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    const sparse = fc.array(fc.constantFrom(0, 0, 0, 1, 0xff), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(fc.oneof(long, sparse), (groups) => {
        const spelled = groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
        const short = canonicalAddress(spelled);
        // The platform's own normal form.
        expect(`[${short}]`).toBe(new URL(`http://[${spelled}]`).hostname);
        expect(canonicalAddress(short.toUpperCase())).toBe(short);
        expect(isAddress(short)).toBe(true);
      }),
    );
    expect(canonicalAddress('::ffff:1.2.3.4')).toBe('::ffff:102:304');
  });
});
