import { readFile } from 'node:fs/promises';
import { parseBindFailures } from '../file/configMessages.js';
import { ReloadError } from './reloadError.js';

/** What a file of HAProxy's words holds beyond an offset in bytes, the end of it; empty when it cannot be read. */
export async function readLogFrom(path: string, offset: number): Promise<string> {
  const text = await readFile(path).catch(() => Buffer.alloc(0));
  return text.subarray(offset).toString().trim().slice(-1_000);
}

/** The failure, with what HAProxy itself wrote about it. */
export function withWords(
  { message, cause, messages, isSilent }: ReloadError,
  said: string,
  action: ReloadError['action'] = 'reload',
): ReloadError {
  const logged = parseBindFailures(said);
  return new ReloadError(said === '' ? message : `${message}: ${said}`, {
    ...{ cause, action, isSilent },
    messages: logged.length > 0 ? logged : messages,
  });
}
