import type { Metrics } from '@smartstack/agent';

/** What came of asking a host. */
export type Asked =
  | 'answered'
  /** It has another key, its clock is another one, or it has none to tell. */
  | 'refused'
  /** No answer in time. */
  | 'late'
  /** Nobody is there, or it hung up. */
  | 'unreachable'
  /** What it said is not from somebody who has the key. */
  | 'unproven'
  /** Proven, but nothing that can be used. */
  | 'unusable';

/** What came of being asked. */
export type Answered =
  | 'answered'
  /** From an address in none of `networks`. */
  | 'stranger'
  /** No proof, or one that is too old, or for another host. */
  | 'no-proof'
  | 'wrong-key'
  /** A proof that was used before. */
  | 'again'
  | 'too-many'
  /** The key file cannot be used. */
  | 'no-key'
  /** Something else than numbers. */
  | 'other';

/** What is counted of numbers that hosts tell each other. */
export interface NumbersMetrics {
  asked(result: Asked): void;
  answered(result: Answered): void;
}

/** Declares them. */
export function createNumbersMetrics(metrics: Metrics): NumbersMetrics {
  const asked = metrics.counter({
    name: 'smartstack_numbers_asked_total',
    help: 'Other hosts that were asked for their numbers, by result.',
    labels: ['result'],
  });
  const answered = metrics.counter({
    name: 'smartstack_numbers_answered_total',
    help: 'Questions of other hosts for the numbers of this one, by result.',
    labels: ['result'],
  });
  return {
    asked: (result) => asked.inc({ result }),
    answered: (result) => answered.inc({ result }),
  };
}
