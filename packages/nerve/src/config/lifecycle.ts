import * as z from 'zod';
import type { Damping } from '../health/damping.js';
import type { SlowStart } from '../registration/ramp.js';
import { optional, seconds, withDefault } from './values.js';

/** A command of the operator's: a line for /bin/sh, or a program and its arguments. */
const command = z
  .union([z.string().min(1), z.array(z.coerce.string()).min(1)])
  .transform((value) => (typeof value === 'string' ? ['/bin/sh', '-c', value] : value));

const secondsOrNone = z.union([z.literal(0), seconds]);

const flapDamping = z
  .strictObject({
    half_life: withDefault(seconds, 60).describe('In so many seconds the penalty halves.'),
    suppress: withDefault(z.number().min(1).max(1000), 3).describe(
      'The penalty from which the service is held back; each time that it goes down adds 1.',
    ),
    reuse: withDefault(z.number().positive().max(1000), 1).describe('The penalty at which it comes back.'),
    max_hold: withDefault(seconds, 300).describe(
      'The longest that it is held back after it went down, in seconds.',
    ),
  })
  .refine(({ suppress, reuse }) => reuse < suppress, {
    path: ['reuse'],
    message: 'Must be below suppress, or it would never come back, or never be held',
  });

const slowStart = z.strictObject({
  duration: seconds.describe('Seconds from the registration to the whole weight.'),
  shape: withDefault(z.enum(['linear', 'fibonacci']), 'linear').describe(
    'How it grows: evenly, or slowly at first (1, 2, 3, 5 … 233 parts of 233).',
  ),
});

const preAvailable = z.strictObject({
  command: command.describe('Must exit with 0 before the service is registered; tried again until it does.'),
  timeout: withDefault(seconds, 1).describe('Seconds after which an attempt has failed and is killed.'),
  interval: withDefault(seconds, 1).describe('Seconds from one attempt to the next.'),
});

const drain = z.strictObject({
  min_time: withDefault(secondsOrNone, 3).describe(
    'Seconds that callers get at least to let go after the registration was withdrawn.',
  ),
  max_time: withDefault(seconds, 60).describe('Seconds that they get at most.'),
  done_command: optional(command).describe('Exits with 0 once they have let go; none: after min_time.'),
  done_interval: withDefault(seconds, 1).describe('Seconds from one asking to the next.'),
  shutdown_command: optional(command).describe(
    'Stops the app, where a drain asks for that, after all let go.',
  ),
  shutdown_timeout: withDefault(seconds, 30).describe('Seconds after which it is killed.'),
});

/** Keys of a service about when, and with which weight, it is registered. */
export const lifecycleKeys = {
  check_jitter: withDefault(z.number().min(0).max(1), 0).describe(
    'The share of each pause between rounds of checks that is left to chance, from 0 to 1.',
  ),
  startup_grace: withDefault(secondsOrNone, 0).describe(
    'Seconds after the start within which a service that was never up is starting, not down.',
  ),
  flap_damping: optional(flapDamping).describe(
    'Hold a service back that keeps going down, for longer each time. Off without this key.',
  ),
  slow_start: optional(slowStart).describe('Let the weight grow after each registration; needs weight.'),
  pre_available: optional(preAvailable).describe('What must succeed before the service is registered.'),
  drain: optional(drain).describe('How callers are waited for when the service is drained.'),
  exclude_from_drain_all: withDefault(z.boolean(), false).describe(
    'Stay registered when the whole host is drained.',
  ),
};

/** A command and its limit. */
interface CommandDefinition {
  readonly argv: readonly string[];
  readonly timeoutMs: number;
}

/** How a drained service's callers are waited for. */
export interface DrainDefinition {
  readonly minMs: number;
  readonly maxMs: number;
  readonly doneCommand?: readonly string[];
  readonly doneIntervalMs: number;
  readonly shutdown?: CommandDefinition;
}

/** When, and with which weight, a service is registered. */
export interface LifecycleDefinition {
  /** From 0 to 1. */
  readonly checkJitter: number;
  readonly startupGraceMs: number;
  readonly damping?: Damping;
  readonly slowStart?: SlowStart;
  readonly preAvailable?: CommandDefinition & { readonly intervalMs: number };
  readonly drain: DrainDefinition;
  /** Stays registered when the host is drained. */
  readonly ignoresHostDrain: boolean;
}

/** What the keys come to. */
export interface LifecycleValue {
  readonly checkJitter: number;
  readonly startupGrace: number;
  readonly flapDamping: z.output<typeof flapDamping> | undefined;
  readonly slowStart: z.output<typeof slowStart> | undefined;
  readonly preAvailable: z.output<typeof preAvailable> | undefined;
  readonly drain: z.output<typeof drain> | undefined;
  readonly excludeFromDrainAll: boolean;
}

/** The definition that a service's keys make. */
export function lifecycleDefinition(value: LifecycleValue): LifecycleDefinition {
  const { flapDamping: flaps, slowStart: slow, preAvailable: pre } = value;
  return {
    checkJitter: value.checkJitter,
    startupGraceMs: value.startupGrace * 1000,
    ...(flaps === undefined ? {} : { damping: dampingOf(flaps) }),
    ...(slow === undefined ? {} : { slowStart: { durationMs: slow.duration * 1000, shape: slow.shape } }),
    ...(pre === undefined
      ? {}
      : {
          preAvailable: {
            argv: pre.command,
            timeoutMs: pre.timeout * 1000,
            intervalMs: pre.interval * 1000,
          },
        }),
    drain: drainDefinition(value.drain ?? drain.parse({})),
    ignoresHostDrain: value.excludeFromDrainAll,
  };
}

function dampingOf({
  half_life: halfLife,
  suppress,
  reuse,
  max_hold: maxHold,
}: z.output<typeof flapDamping>): Damping {
  return { halfLifeMs: halfLife * 1000, suppress, reuse, maxHoldMs: maxHold * 1000 };
}

function drainDefinition(value: z.output<typeof drain>): DrainDefinition {
  const { done_command: done, shutdown_command: shutdown } = value;
  return {
    minMs: value.min_time * 1000,
    maxMs: Math.max(value.max_time, value.min_time) * 1000,
    ...(done === undefined ? {} : { doneCommand: done }),
    doneIntervalMs: value.done_interval * 1000,
    ...(shutdown === undefined
      ? {}
      : { shutdown: { argv: shutdown, timeoutMs: value.shutdown_timeout * 1000 } }),
  };
}
