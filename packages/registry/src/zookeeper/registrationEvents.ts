import type { ZkPath } from './types.js';

/** What a registration hears of its nodes. */
export interface RegistrationNodesEvents {
  /** Something happened to our node: reconcile. */
  onEvent(): void;
  /** The path that someone else held may be free: reconcile without delay. */
  onFreed(): void;
  onPresent(path: ZkPath): void;
  /** Our node vanished or changed hands while the session lived. */
  onLost(path: ZkPath, why: string): void;
  /** Our node went with its session. */
  onExpired(): void;
}
