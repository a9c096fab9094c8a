import { execFile } from 'node:child_process';
import { chmod, chown } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { AdminAccess } from './types.js';

/** Gives a socket's file to those who may use it. Rejects when there is no such group, or it is not ours to give. */
export async function restrictSocket(path: string, access: AdminAccess = {}): Promise<void> {
  const { socketMode = 0o660, socketGroup } = access;
  // The owner first: the mode then never holds for the wrong group.
  if (socketGroup !== undefined) await chown(path, -1, await groupId(socketGroup));
  await chmod(path, socketMode);
}

/** The number of a group, wherever the system keeps its names. */
async function groupId(group: string): Promise<number> {
  if (/^\d+$/.test(group)) return Number(group);
  try {
    const { stdout } = await promisify(execFile)('getent', ['group', '--', group], { timeout: 5_000 });
    const id = stdout.split(':')[2];
    if (id !== undefined && /^\d+$/.test(id)) return Number(id);
  } catch {
    // It says nothing more.
  }
  throw new Error(`there is no group ${group}`);
}
