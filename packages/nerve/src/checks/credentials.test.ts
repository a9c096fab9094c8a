import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FakeClock } from '@smartstack/agent/testing';
import { Asked } from '../config/asked.js';
import { describe, expect, it, vi } from 'vitest';
import { configDir } from '../testing/configDir.js';
import { passwordProblems, passwordSource, withoutPassword } from './credentials.js';

describe('a password in a file', () => {
  it('is read without its line break, and again when it changes', async () => {
    const file = join(await configDir({ password: 'one two\n' }), 'password');
    const clock = new FakeClock();
    const current = passwordSource({ password: undefined, passwordFile: file }, clock);
    expect(await current()).toBe('one two');
    await writeFile(file, 'three\r\n');
    await vi.waitFor(async () => {
      await clock.advance(1_000);
      expect(await current()).toBe('three');
    });
    // Half of what is being written is no password.
    await writeFile(file, '');
    await clock.advance(1_000);
    expect(await current()).toBe('three');
  });

  it.each([
    ['there', 'secret\n', undefined],
    ['empty', '\n', /no password in it/],
    ['more than that', 'user: a\npassword: b\n', /more than a password in it/],
    ['missing', undefined, /ENOENT/],
  ])('is looked at when the configuration is read: %s', async (_, text, message) => {
    const dir = await configDir(text === undefined ? {} : { password: text });
    const problems = await passwordProblems(
      { password: undefined, passwordFile: join(dir, 'password') },
      new Asked(),
    );
    expect(problems).toEqual(
      message === undefined
        ? []
        : [{ key: 'password_file', message: expect.stringMatching(message) as string }],
    );
  });
});

describe('withoutPassword', () => {
  it('leaves a text as it is but for the password', () => {
    expect(withoutPassword('a secret is a secret', 'secret')).toBe('a *** is a ***');
    expect(withoutPassword('nothing to hide', undefined)).toBe('nothing to hide');
    expect(withoutPassword('nothing to hide', '')).toBe('nothing to hide');
  });
});
