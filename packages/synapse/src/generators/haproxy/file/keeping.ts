import type { CheckOptions } from './checker.js';
import type { DesiredState } from '../types.js';

/** How keeping a state on disk ended. */
export interface Kept {
  /** What the file renders now; undefined when nothing acceptable was ever found. */
  readonly accepted: DesiredState | undefined;
  /** True when the file is all of what was asked for, or all but what is quarantined. */
  readonly current: boolean;
}

/** How a state is to be kept. */
export interface KeepOptions extends CheckOptions {
  /** Another state than the wanted one, for the time being: what is held back stays held. */
  readonly isStandIn?: boolean | undefined;
  /** Its servers run. Then the check may come later where the last one speaks for this state (`isVouchedFor`). */
  readonly mayWait?: boolean | undefined;
}
