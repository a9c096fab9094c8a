import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { type Listener, parseListeners } from './listeners.js';
import { type Owner, ownerOf } from './owner.js';

/** What is kept of a command line, in characters: the class path of Java comes before what it runs. */
const longest = 256 * 1024;

/** All TCP sockets of this machine (of its network namespace) that listen. Throws where there is no /proc/net/tcp. */
export function readListeners(proc: string): readonly Listener[] {
  const littleEndian = endianness() === 'LE';
  const tables = [readFileSync(join(proc, 'net/tcp'), 'utf8'), textOf(join(proc, 'net/tcp6'))];
  return tables.flatMap((table) => parseListeners(table, littleEndian));
}

/**
 * Who has these sockets, as far as that may be seen: of others' processes only by root. Processes come and go
 * meanwhile.
 */
export function readOwners(proc: string, listeners: readonly Listener[]): ReadonlyMap<string, Owner> {
  const wanted = new Map(listeners.map(({ inode }) => [`socket:[${inode}]`, inode]));
  const owners = new Map<string, Owner>();
  const pids = listed(proc).filter((name) => /^\d+$/.test(name));
  // The oldest first, which is the parent of the others; the first of all only where it is alone: it holds sockets
  // for units that are to start.
  const order = pids.map(Number).sort((a, b) => Number(a === 1) - Number(b === 1) || a - b);
  for (const pid of order) {
    const held = listed(join(proc, `${pid}/fd`)).flatMap((fd) => {
      const inode = wanted.get(linkOf(join(proc, `${pid}/fd`, fd)) ?? '');
      return inode === undefined || owners.has(inode) ? [] : [inode];
    });
    if (held.length === 0) continue;
    const read = (name: string): string => textOf(join(proc, String(pid), name)).slice(0, longest);
    const owner = ownerOf(pid, { comm: read('comm'), cmdline: read('cmdline'), cgroup: read('cgroup') });
    for (const inode of held) owners.set(inode, owner);
  }
  return owners;
}

/** The text of a file, or none. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function listed(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
