import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { credentialProblem, CredentialReader, parseAuth } from './credentials.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'credentials-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));
const never = new AbortController().signal;

describe('parseAuth', () => {
  it('reads a scheme and everything after it', () => {
    expect(parseAuth(' digest:u:p:q\n')).toEqual({ scheme: 'digest', data: Buffer.from('u:p:q') });
    for (const bad of ['', 'digest', 'digest:', ':u:p', 'user password']) {
      expect(() => parseAuth(bad), bad).toThrow(/digest:user:password/);
    }
  });
});

describe('credentialProblem', () => {
  it('names the file that is of no use, and why', async () => {
    await writeFile(join(dir, 'empty'), '');
    const at = (name: string): string => join(dir, name);
    expect(await credentialProblem({ authFile: at('none') })).toMatch(/^ENOENT.*none/);
    expect(await credentialProblem({ authFile: at('empty') })).toBe(
      `${at('empty')}: expected scheme:credentials, such as digest:user:password`,
    );
    expect(await credentialProblem({ tls: { caFile: at('empty') } })).toBe(
      `${at('empty')}: this is no PEM file`,
    );
    await writeFile(at('garbage'), '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n');
    expect(await credentialProblem({ tls: { caFile: at('garbage') } })).toContain(at('garbage'));
    expect(await credentialProblem({ tls: {} })).toBeUndefined();
    expect(await credentialProblem({})).toBeUndefined();
  });
});

describe('CredentialReader', () => {
  const secret = async (reader: CredentialReader): Promise<string> =>
    (await reader.read(1_000, never)).auth.map(({ data }) => data.toString()).join();

  it('reads anew each time; what is of no use leaves the last, with one warning for each reason', async () => {
    const authFile = join(dir, 'auth');
    const logger = new RecordingLogger();
    const reader = new CredentialReader({ authFile, clock: systemClock, logger });
    await expect(secret(reader)).rejects.toThrow(/ENOENT/);
    for (const [text, expected] of [
      ['digest:one', 'one'],
      ['digest:two', 'two'],
      ['', 'two'],
      ['half', 'two'],
      ['digest:three', 'three'],
    ] as const) {
      await writeFile(authFile, text);
      expect(await secret(reader)).toBe(expected);
    }
    await rm(authFile);
    expect(await secret(reader)).toBe('three');
    expect(await secret(reader)).toBe('three');
    expect(logger.records.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'using the credentials read before'],
      ['warn', 'using the credentials read before'],
    ]);
  });

  it('does not wait for a file system that hangs, nor asks it again meanwhile', async () => {
    const clock = new FakeClock();
    const logger = new RecordingLogger();
    let asked = 0;
    let answer: (data: Buffer) => void = () => undefined;
    const readFile = (): Promise<Buffer> => {
      asked += 1;
      return new Promise((resolve) => (answer = resolve));
    };
    const reader = new CredentialReader({ authFile: '/nfs/auth', clock, logger, readFile });
    for (let dial = 0; dial < 20; dial += 1) {
      const read = secret(reader).catch((error: unknown) => String(error));
      await clock.advance(1_000);
      expect(await read).toContain('could not be read within 1000 ms');
    }
    expect(clock.pending).toBe(0);
    const abort = new AbortController();
    const read = reader.read(1_000, abort.signal);
    abort.abort();
    await expect(read).rejects.toThrow();
    // All twenty wait for one and the same answer.
    expect(asked).toBe(1);
    const last = secret(reader);
    answer(Buffer.from('digest:late'));
    expect(await last).toBe('late');
  });

  it('reads no pipe, which nobody may ever write to', async () => {
    const authFile = join(dir, 'auth');
    execFileSync('mkfifo', [authFile]);
    expect(await credentialProblem({ authFile })).toBe(`${authFile}: it is no plain file`);
  });
});
