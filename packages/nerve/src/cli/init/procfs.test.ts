import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { endianness, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readListeners, readOwners } from './procfs.js';

/** A proc file system of files: text, or `->` and where a link leads. */
function procWith(files: Readonly<Record<string, string>>): string {
  const proc = mkdtempSync(join(tmpdir(), 'nerve-proc-'));
  onTestFinished(() => rmSync(proc, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(proc, name)), { recursive: true });
    if (text.startsWith('->')) symlinkSync(text.slice(2), join(proc, name));
    else writeFileSync(join(proc, name), text);
  }
  return proc;
}

const loopback = endianness() === 'LE' ? '0100007F' : '7F000001';
const table = (port: string, inode: number): string =>
  `header\n 0: ${loopback}:${port} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 ${inode} 1 0 100 0 0 10 0\n`;

describe('readListeners', () => {
  it('reads both tables, or the one that there is', () => {
    const both = procWith({ 'net/tcp': table('0050', 1), 'net/tcp6': table('0051', 2) });
    expect(readListeners(both).map(({ port }) => port)).toEqual([80, 81]);
    expect(readListeners(procWith({ 'net/tcp': table('0050', 1) })).map(({ port }) => port)).toEqual([80]);
  });

  it('throws without any', () => {
    expect(() => readListeners(procWith({}))).toThrow('net/tcp');
  });
});

describe('readOwners', () => {
  const one = (pid: number, inode: number, comm: string) => ({
    [`${pid}/fd/0`]: '->/dev/null',
    [`${pid}/fd/7`]: `->socket:[${inode}]`,
    [`${pid}/comm`]: `${comm}\n`,
    [`${pid}/cmdline`]: `/usr/sbin/${comm}\0-x\0`,
    [`${pid}/cgroup`]: `0::/system.slice/${comm}.service\n`,
  });
  const names = (proc: string) =>
    Object.fromEntries(
      [
        ...readOwners(
          proc,
          [5, 6].map((inode) => ({ address: '::', port: 1, uid: 0, inode: String(inode) })),
        ),
      ].map(([inode, { pid, name }]) => [inode, `${name} ${pid}`]),
    );

  it('finds the oldest process of each socket, and the first of all only where it is alone', () => {
    const proc = procWith({
      ...one(12, 5, 'worker'),
      ...one(9, 5, 'parent'),
      ...one(1, 5, 'systemd'),
      ...one(13, 99, 'other'),
      ...{ 'self/fd/7': '->socket:[6]', 'net/tcp': '' },
    });
    expect(names(proc)).toEqual({ 5: 'parent 9' });
    expect(names(procWith(one(1, 5, 'systemd')))).toEqual({ 5: 'systemd 1' });
    expect(readOwners(proc, [{ address: '::', port: 1, uid: 0, inode: '5' }]).get('5')).toEqual({
      ...{ pid: 9, name: 'parent', argv: ['/usr/sbin/parent', '-x'], unit: 'parent.service' },
    });
  });

  it('goes on past processes that end meanwhile, or may not be seen', () => {
    const proc = procWith({
      ...{ '7/comm': 'no descriptors\n', '8/fd': 'not a folder', '10/fd/3': 'not a link' },
      ...{ '11/fd/3': '->socket:[6]' },
      ...one(12, 5, 'web'),
    });
    chmodSync(join(proc, '10/fd'), 0);
    onTestFinished(() => chmodSync(join(proc, '10/fd'), 0o700));
    expect(names(proc)).toEqual({ 5: 'web 12', 6: ' 11' });
  });
});
