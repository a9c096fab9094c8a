import type { Clock } from '@smartstack/agent';
import * as z from 'zod';
import { absolutePath, optional } from '../config/values.js';
import type { Asked } from '../config/asked.js';
import type { OptionProblem } from './check.js';
import { fileProblem, FollowedFile } from './followedFile.js';

/** For how long a file of a password counts as it was read, in milliseconds. */
const freshMs = 1000;
const maxPassword = 4096;

/** The option of checks that log in, beside a user's name. */
export const passwordOptions = {
  password: optional(z.coerce.string()).describe('The password.'),
  password_file: optional(absolutePath).describe(
    'A file that holds the password, and at most a line break after it; read again when it changes.',
  ),
} as const;

/** The same, as the code sees them. */
export interface PasswordSettings {
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
}

/** Options for a password that do not go together. */
export function passwordConflicts({ password, passwordFile }: PasswordSettings): readonly OptionProblem[] {
  if (password === undefined || passwordFile === undefined) return [];
  return [{ key: 'password_file', message: 'there is a password already' }];
}

/** What is wrong with the file of a password. */
export async function passwordProblems(
  { passwordFile: file }: PasswordSettings,
  asked: Asked,
): Promise<readonly OptionProblem[]> {
  if (file === undefined) return [];
  const message = await fileProblem('password', file, parsePassword, asked);
  return message === undefined ? [] : [{ key: 'password_file', message }];
}

/** Says a check's password, now: its file may be replaced. Undefined: it has none. */
export function passwordSource(
  { password, passwordFile }: PasswordSettings,
  clock: Clock,
): () => Promise<string | undefined> {
  if (passwordFile === undefined) return () => Promise.resolve(password);
  const file = new FollowedFile(passwordFile, parsePassword, freshMs, clock);
  return () => file.current();
}

function parsePassword(data: Buffer): string {
  const text = data.toString('utf8').replace(/\r?\n$/, '');
  if (text === '') throw new Error('no password in it');
  if (text.length > maxPassword || /[\r\n\0]/.test(text)) throw new Error('more than a password in it');
  return text;
}

/** A text that may quote what a peer sent, and so what was sent to it, without the password. */
export function withoutPassword(text: string, password: string | undefined): string {
  return password === undefined || password === '' ? text : text.replaceAll(password, '***');
}
