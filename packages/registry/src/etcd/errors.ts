import { AgentError } from '@smartstack/agent';

/** gRPC's codes, as etcd's JSON gateway gives them. */
const unavailable = new Set([1, 4, 14]);

/** An answer of etcd that is an error, or no answer. */
export class EtcdError extends AgentError {
  /** gRPC's code; undefined when there was no answer, or one that was not etcd's. */
  readonly status: number | undefined;

  constructor(
    message: string,
    { status, cause }: { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(status === undefined ? 'etcd' : `etcd.${status}`, message, {
      retriable: true,
      ...(cause === undefined ? {} : { cause }),
    });
    this.status = status;
  }

  /** True when another member of the cluster may answer better. */
  get elsewhere(): boolean {
    return this.status === undefined || unavailable.has(this.status);
  }

  /** True when a new token may help. */
  get stale(): boolean {
    return this.status === 16 || /auth store is old|user name is empty/.test(this.message);
  }

  /** True when the lease that was named does not exist (any more). */
  get leaseGone(): boolean {
    return this.status === 5;
  }
}
