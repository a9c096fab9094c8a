import { describe, expect, it } from 'vitest';
import { descriptorLimit, haproxyLimit, mayRaise, parseLimits } from './descriptorLimit.js';
import { parseCommandLine } from './runningHaproxy.js';

describe('parseCommandLine', () => {
  const read = (...words: readonly string[]) => parseCommandLine(7, `${words.join('\0')}\0`);

  it('knows masters and workers, also after a reload', () => {
    const expected = { pid: 7, files: ['/a.cfg'], masterSocket: '/m.sock' };
    expect(read('/usr/sbin/haproxy', '-W', '-S', '/m.sock,mode,600', '-f', '/a.cfg')).toEqual(expected);
    const reloaded = ['-sf', '12', '13', '-x', 'sockpair@5', '-W', '-S', '/m.sock', '-f', '/a.cfg'];
    expect(read('haproxy', ...reloaded)).toEqual(expected);
    expect(read('haproxy', '-f', '/a', '-f', '/b')).toEqual({
      pid: 7,
      files: ['/a', '/b'],
      masterSocket: undefined,
    });
  });

  it('takes no other program for one, nor a check of the same file', () => {
    expect(read('vi', '-f', '/etc/haproxy.cfg')).toBeUndefined();
    expect(read('haproxy', '-c', '-f', '/a.cfg')).toBeUndefined();
    expect(read('')).toBeUndefined();
  });
});

describe('descriptorLimit', () => {
  const limits = (hard: string): string =>
    `Limit  Soft Limit  Hard Limit  Units\nMax processes  1  2  processes\nMax open files   1024   ${hard}   files\n`;

  it('reads the hard limit', () => {
    expect(parseLimits(limits('20000'))).toBe(20_000);
    expect(parseLimits(limits('unlimited'))).toBe(Infinity);
    expect(parseLimits(limits('many'))).toBeUndefined();
    expect(parseLimits('')).toBeUndefined();
  });

  it('knows who may raise it: CAP_SYS_RESOURCE', () => {
    expect(mayRaise('CapEff:\t000001ffffffffff\n')).toBe(true);
    expect(mayRaise('CapEff:\t0000000001000000\n')).toBe(true);
    expect(mayRaise('CapEff:\t000001fffeffffff\n')).toBe(false);
    expect(mayRaise('CapEff:\t0000000000000400\n')).toBe(false);
    expect(mayRaise('')).toBe(false);
  });

  it('is ours for ourselves, and unknown for who is gone or no HAProxy', async () => {
    expect(await descriptorLimit('self')).toBeGreaterThan(10);
    expect(await descriptorLimit(2 ** 30)).toBeUndefined();
    expect(await haproxyLimit(process.pid)).toBeUndefined();
  });
});
