import type { RegistrationSpec, Stat, ZkPath } from './types.js';

/** A registration that holds a node. */
export interface NodeHolder {
  readonly acl: RegistrationSpec['acl'];
  /** Whoever held it after us let go of it: it is ours to write now. */
  look(): void;
}

/** Tells a node from all others, also from one of the same path in another ensemble. */
export function identityOf(path: ZkPath, { czxid, ctime }: Stat): string {
  return `${path} ${czxid} ${ctime}`;
}

/**
 * The persistent nodes that registrations of this process hold, whatever their sessions. A session to the same
 * ensemble by other names finds the node of the session that it replaces, and takes it as it is: then it is written by
 * the later one, and deleted by none of them but the last.
 */
export class SharedNodes {
  readonly #holders = new Map<string, readonly NodeHolder[]>();

  /** Adds a holder; again does nothing. */
  hold(identity: string, holder: NodeHolder): void {
    const known = this.#holders.get(identity) ?? [];
    if (!known.includes(holder)) this.#holders.set(identity, [...known, holder]);
  }

  /** Takes a holder away; one that is none does nothing. */
  release(identity: string, holder: NodeHolder): void {
    const known = this.#holders.get(identity);
    if (!known?.includes(holder)) return;
    const rest = known.filter((one) => one !== holder);
    if (rest.length === 0) this.#holders.delete(identity);
    else this.#holders.set(identity, rest);
    if (known.at(-1) === holder) rest.at(-1)?.look();
  }

  /** Whether any registration holds it. */
  isHeld(identity: string): boolean {
    return this.#holders.has(identity);
  }

  /** Whether a later one than this holds it: it is its to write. */
  hasLater(identity: string, holder: NodeHolder): boolean {
    const last = this.#holders.get(identity)?.at(-1);
    return last !== undefined && last !== holder;
  }

  /** Whether one that is not this may keep the node as it is: its access control list cannot be changed in place. */
  servesAnother(identity: string, holder: NodeHolder): boolean {
    const acl = JSON.stringify(holder.acl);
    const others = this.#holders.get(identity)?.filter((one) => one !== holder) ?? [];
    return others.some((one) => JSON.stringify(one.acl) === acl);
  }
}
