import type { Listener } from '../cli/init/listeners.js';
import type { Owner } from '../cli/init/owner.js';
import type { Host } from '../cli/init/plan.js';

/** A socket of the user 1000. */
export function listener(address: string, port: number): Listener {
  return { address, port, inode: '', uid: 1000 };
}

/** A process that is called so. */
export function process(name: string, more: Partial<Owner> = {}): Owner {
  return { pid: 100, name, argv: [name], unit: undefined, ...more };
}

/** A machine at 10.0.0.5 on which these listen; an owner that is undefined could not be seen. */
export function machine(all: readonly (readonly [Listener, Owner | undefined])[]): Host {
  const listeners = all.map(([one], at) => ({ ...one, inode: String(at + 1) }));
  return {
    name: 'vm1',
    address: { address: '10.0.0.5', interface: 'eth0' },
    ephemeral: [32_768, 60_999],
    listeners,
    owners: new Map(all.flatMap(([, owner], at) => (owner === undefined ? [] : [[String(at + 1), owner]]))),
    users: new Map([
      [0, 'root'],
      [33, 'www-data'],
    ]),
  };
}
