import { EtcdError } from './errors.js';
import type { Claim, EtcdLease } from './lease.js';
import { deleteIf, type KeyValue, putIf, readTxn } from './messages.js';

/** Others may change the key between a look and a change; not for ever. */
const maxTurns = 8;

/** One key on a lease: the registration of one service. Calls must not overlap. */
export class EtcdKey implements Claim {
  readonly #lease: EtcdLease;
  readonly #prefix: string;
  readonly #missing: () => void;
  #key: string | undefined;
  /** As far as we know; '0' when it is not there. */
  #modRevision = '0';
  /** It was ours once: whoever overwrites it does not make it theirs. */
  #created = false;
  /** The lease that the last put named, whatever became of it. */
  #tried: string | undefined;
  /** What stands there for certain. */
  #standing: { readonly lease: string; readonly value: string } | undefined;

  /** `missing` is called when the key is found gone. */
  constructor(lease: EtcdLease, prefix: string, missing: () => void) {
    this.#lease = lease;
    this.#prefix = prefix;
    this.#missing = missing;
  }

  get stands(): boolean {
    return this.#standing !== undefined && this.#standing.lease === this.#lease.id;
  }

  onMissing(): void {
    this.#standing = undefined;
    this.#missing();
  }

  /** Makes the store hold `value` on the present lease. Resolves with the key; rejects with EtcdError. */
  async put(value: string): Promise<string> {
    const lease = this.#lease.id;
    if (lease === undefined) throw new EtcdError(this.#why());
    if (this.#key !== undefined && this.stands && this.#standing?.value === value) return this.#key;
    this.#standing = undefined;
    this.#key ??= this.#lease.claim(this.#prefix, this, undefined);
    for (let turn = 0; turn < maxTurns; turn += 1) {
      this.#tried = lease;
      const result = await this.#change(putIf(this.#key, value, lease, this.#modRevision), lease);
      if (result.done) this.#modRevision = result.revision;
      const { found } = result.done ? { found: undefined } : result;
      if (result.done || (found !== undefined && this.#ours(found) && same(found, value, lease))) {
        this.#modRevision = found?.modRevision ?? this.#modRevision;
        this.#created = true;
        this.#standing = { lease, value };
        return this.#key;
      }
      if (found === undefined || this.#ours(found)) this.#modRevision = found?.modRevision ?? '0';
      else {
        const taken = this.#key;
        this.#key = this.#lease.claim(this.#prefix, this, taken);
        this.#lease.unclaim(taken);
        this.#modRevision = '0';
      }
    }
    throw new EtcdError(`others keep changing ${this.#key}`);
  }

  /** Makes sure that nothing of ours is in the store. Rejects with EtcdError. */
  async remove(): Promise<void> {
    if (this.#key === undefined) return;
    this.#standing = undefined;
    // What another has put there meanwhile, without our lease, is not ours to delete.
    if (this.#tried !== undefined) await this.#change(deleteIf(this.#key, this.#tried), undefined);
    this.#tried = undefined;
    this.release();
  }

  /** Lets go of the key without deleting it. */
  release(): void {
    if (this.#key !== undefined) this.#lease.unclaim(this.#key);
    this.#key = undefined;
    this.#modRevision = '0';
    this.#created = false;
    this.#standing = undefined;
  }

  #ours(found: KeyValue): boolean {
    return this.#created || this.#lease.owned(found.lease);
  }

  async #change(txn: unknown, lease: string | undefined): Promise<ReturnType<typeof readTxn>> {
    try {
      return readTxn(await this.#lease.client.call('/v3/kv/txn', txn));
    } catch (error) {
      if (lease !== undefined && error instanceof EtcdError && error.leaseGone) this.#lease.lost(lease);
      throw error;
    }
  }

  #why(): string {
    const { state } = this.#lease;
    return state.kind === 'held' || state.error === undefined ? 'there is no lease yet' : state.error;
  }
}

function same(found: KeyValue, value: string, lease: string): boolean {
  return found.value === value && found.lease === lease;
}
