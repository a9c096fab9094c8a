import type { Clock, Logger, Timer } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';

import {
  afterSnapshot,
  afterTime,
  heldInstances,
  type Losses,
  type MassLossRules,
  nextRelease,
  noLosses,
} from '../catalog/massLoss.js';
import { identityOf } from '../catalog/select.js';
import type { Snapshot, Watcher } from '../catalog/types.js';

/** Rules under which no loss is too great. */
const never: MassLossRules = { share: 1, minimum: Infinity, windowMs: 0, holdMs: 0, keepsPrevious: false };

interface ProtectOptions {
  /** The rules of now; undefined where losses are to be believed. */
  readonly rules: () => MassLossRules | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** `watcher`, whose snapshots go on holding what vanished from its source all at once, for a time. */
export function protectFromMassLoss(watcher: Watcher, options: ProtectOptions): Watcher {
  return {
    ...(watcher.entries && { entries: () => watcher.entries?.() ?? [] }),
    ...(watcher.origins && { origins: () => watcher.origins?.() ?? new Map<string, string>() }),
    run: async (emit, signal) => {
      const holding = new Holding(emit, options);
      try {
        await watcher.run((snapshot) => holding.take(snapshot), signal);
      } finally {
        holding.end();
      }
    },
  };
}

/** What one run of a watcher lost. */
class Holding {
  #losses: Losses = noLosses;
  #last: Snapshot | undefined;
  #held = 0;
  #timer: Timer | undefined;

  constructor(
    private readonly emit: (snapshot: Snapshot) => void,
    private readonly options: ProtectOptions,
  ) {}

  take(snapshot: Snapshot): void {
    this.#last = snapshot;
    const { rules, clock } = this.options;
    const inForce = rules();
    // A source that is away tells of no loss. Without rules nothing is held, but they may come later.
    if (snapshot.status === 'live')
      this.#losses = afterSnapshot(
        inForce ? this.#losses : noLosses,
        // Held by one of its watchers: lost for that one, and so for all together.
        snapshot.instances.some(({ held: isHeld }) => isHeld)
          ? snapshot.instances.filter(({ held: isHeld }) => isHeld !== true)
          : snapshot.instances,
        clock.monotonic(),
        inForce ?? never,
      );
    this.#show(inForce);
  }

  end(): void {
    this.#timer?.cancel();
  }

  #show(rules: MassLossRules | undefined): void {
    const { clock } = this.options;
    const held = heldInstances(this.#losses);
    this.#tell(held.length, rules);
    this.#timer?.cancel();
    const release = nextRelease(this.#losses);
    if (release !== undefined)
      this.#timer = clock.setTimeout(() => this.#release(), Math.max(0, release - clock.monotonic()));
    const snapshot = this.#last;
    if (snapshot === undefined) return;
    const leavesAlone =
      snapshot.status === 'pending' ||
      held.length === 0 ||
      (snapshot.instances.length === 0 && rules?.keepsPrevious === true);
    this.emit(leavesAlone ? snapshot : { ...snapshot, instances: withHeld(snapshot.instances, held) });
  }

  #release(): void {
    const { rules, clock } = this.options;
    const inForce = rules();
    this.#losses = inForce
      ? afterTime(this.#losses, clock.monotonic(), inForce)
      : { ...this.#losses, missing: noLosses.missing };
    this.#show(inForce);
  }

  /** A mass loss is one event, and so is its end. */
  #tell(held: number, rules: MassLossRules | undefined): void {
    const { logger } = this.options;
    const present = this.#losses.present.length;
    if (held > 0 && this.#held === 0)
      logger.warn('most instances vanished at once, they stay in rotation where they are checked', {
        held,
        present,
        seconds: (rules?.holdMs ?? 0) / 1000,
      });
    if (held === 0 && this.#held > 0) logger.info('no instance that vanished is held any more', { present });
    this.#held = held;
  }
}

/** Those that one of the watchers holds itself are there already. */
function withHeld(told: readonly Instance[], held: readonly Instance[]): readonly Instance[] {
  const there = new Set(told.filter((one) => one.held).map(identityOf));
  return [...told, ...(there.size === 0 ? held : held.filter((one) => !there.has(identityOf(one))))];
}
