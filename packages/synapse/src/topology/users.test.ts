import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { FakeClock } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Users } from './users.js';

const signal = new AbortController().signal;
const own = process.getuid?.() ?? 0;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'users-'));
  mkdirSync(join(folder, 'proc', 'self'), { recursive: true });
  writeFileSync(join(folder, 'passwd'), `one:x:${own}:1::/:/x\ntwo:x:${own}:1::/:/x\nbad line\n:x:3:::\n`);
});
afterEach(() => rmSync(folder, { recursive: true }));

const sources = () => ({ proc: join(folder, 'proc'), passwd: join(folder, 'passwd') });
function processIn(pid: number, cgroup: string): void {
  mkdirSync(join(folder, 'proc', String(pid)), { recursive: true });
  writeFileSync(join(folder, 'proc', String(pid), 'cgroup'), cgroup);
}

describe('users', () => {
  it('have the first name of their number, and the unit of all their processes', async () => {
    processIn(1, '0::/system.slice/web.service\n');
    processIn(2, '0::/system.slice/web.service/sub\n');
    // One that has just ended.
    mkdirSync(join(folder, 'proc', '3'));
    const users = new Users({ clock: systemClock, ...sources() });
    expect(await users.names(new Set([own]), signal)).toEqual(new Map([[own, { user: 'one', unit: 'web' }]]));
  });

  it('are remembered for five minutes, then looked up again', async () => {
    const clock = new FakeClock();
    const users = new Users({ clock, ...sources() });
    const name = async () => (await users.names(new Set([own]), signal)).get(own);
    expect(await name()).toEqual({ user: 'one' });
    processIn(1, '0::/system.slice/web.service\n');
    await clock.advance(299_000);
    expect(await name()).toEqual({ user: 'one' });
    await clock.advance(1_000);
    expect(await name()).toEqual({ user: 'one', unit: 'web' });
  });

  it('of a directory are asked for by number, and are a number where nobody knows them', async () => {
    rmSync(join(folder, 'passwd'));
    const users = new Users({ clock: systemClock, ...sources() });
    const names = await users.names(new Set([0, 4_294_000_000]), signal);
    expect(names.get(0)?.user).toBe('root');
    expect(names.get(4_294_000_000)).toEqual({ user: 'uid:4294000000' });
  });

  it('can be told without anything to be seen', async () => {
    const users = new Users({ clock: systemClock, proc: join(folder, 'none'), passwd: join(folder, 'none') });
    expect((await users.names(new Set([0]), signal)).get(0)).toEqual({ user: 'root' });
  });
});
