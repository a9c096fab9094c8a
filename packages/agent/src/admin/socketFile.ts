import { execFile } from 'node:child_process';
import { chmod, chown } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { AdminAccess } from './types.js';

/** Who may use a socket's file; the group is a number by now. */
export interface SocketRights {
  readonly mode: number;
  readonly group: number | undefined;
}

/** Looks up who may use a socket. Rejects when there is no such group. */
export async function socketRights({ socketMode = 0o660, socketGroup }: AdminAccess): Promise<SocketRights> {
  return { mode: socketMode, group: socketGroup === undefined ? undefined : await groupId(socketGroup) };
}

/** Calls `create`, which makes a socket at once: until it is given to others, its file is the owner's alone. */
export function privately(create: () => void): void {
  const before = process.umask(0o177);
  try {
    create();
  } finally {
    process.umask(before);
  }
}

/** Gives a socket's file to those who may use it. Rejects when that is not ours to do. */
export async function giveSocket(path: string, { mode, group }: SocketRights): Promise<void> {
  try {
    // The group first: the mode then never holds for the wrong one.
    if (group !== undefined) await chown(path, -1, group);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    const why = `not allowed to give it to group ${group ?? ''}: the agent's user must be a member (admin.group)`;
    throw new Error(why, { cause: error });
  }
  await chmod(path, mode);
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
  throw new Error(`there is no group ${group} (admin.group)`);
}
