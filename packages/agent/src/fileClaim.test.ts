import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from './clock.js';
import { claimPath, FileClaim } from './fileClaim.js';

describe('FileClaim', () => {
  let dir: string;
  let file: string;
  const claims: FileClaim[] = [];
  const claim = (): FileClaim => {
    const made = new FileClaim(systemClock);
    claims.push(made);
    return made;
  };
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'claim-'));
    file = join(dir, 'new', 'haproxy.cfg');
  });
  afterEach(async () => {
    for (const each of claims.splice(0)) await each.release();
    await rm(dir, { recursive: true });
  });

  it('is one process at a time, and names it to the others', async () => {
    const [first, second] = [claim(), claim()];
    await first.take(file);
    await first.take(file);
    await expect(second.take(file)).rejects.toThrow(`another synapse (process ${process.pid}) keeps ${file}`);
    await second.take(join(dir, 'other.cfg'));
    await first.release();
    await second.take(file);
    await expect(first.take(file)).rejects.toThrow('another synapse');
  });

  it('moves to another file', async () => {
    const [first, second] = [claim(), claim()];
    await first.take(file);
    await first.take(join(dir, 'moved.cfg'));
    await second.take(file);
    expect(existsSync(claimPath(file))).toBe(true);
  });

  it('is taken over from a process that was killed', async () => {
    await claim().take(join(dir, 'new', 'x'));
    const code = `require('net').createServer().listen(${JSON.stringify(claimPath(file))},()=>console.log('on'))`;
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(claimPath(file))).toBe(true);
    await claim().take(file);
    await expect(claim().take(file)).rejects.toThrow('another synapse');
  });

  it('does without where there can be no socket, and removes no file of somebody else', async () => {
    const long = join(dir, 'x'.repeat(150));
    await claim().take(long);
    await claim().take(long);
    const other = join(dir, 'plain.cfg');
    await writeFile(claimPath(other), 'not a socket');
    await claim().take(other);
    expect(existsSync(claimPath(other))).toBe(true);
  });
});
