/** Groups of points, in the order in which they are examined. */
export const groups = [
  'config',
  'haproxy',
  'zookeeper',
  'registrations',
  'convergence',
  'observability',
] as const;
export type Group = (typeof groups)[number];

/** What came of a point. `unknown`: nothing could be told, and nothing is known to be wrong. */
export type Outcome = 'passed' | 'warning' | 'failed' | 'unknown';

/** What was found at one point. */
export interface Result {
  readonly outcome: Outcome;
  /** In a few words, beside the title. */
  readonly summary?: string;
  /** What is wrong, line by line. */
  readonly details?: readonly string[];
  /** The way out. */
  readonly hint?: string;
}

/** One thing that `synapse check` looks at. */
export interface Point<S> {
  /** The heading in docs/operations.md that says what its failure means. */
  readonly id: string;
  readonly group: Group;
  /** What is the case when it passes. */
  readonly title: string;
  /** `running`: not with --pre; `before`: only with it. */
  readonly when: 'always' | 'running' | 'before';
  /** Expected failures may be thrown as AgentError. Changes nothing, unless the operator asked for a write. */
  examine(subject: S, signal: AbortSignal): Promise<Result>;
}

/** It is so. */
export function passed(summary?: string): Result {
  return { outcome: 'passed', ...(summary !== undefined && { summary }) };
}

/** It works, but not as it should. */
export function warning(details: readonly string[], hint: string): Result {
  return { outcome: 'warning', details, hint };
}

/** It is not so. */
export function failed(details: readonly string[], hint: string): Result {
  return { outcome: 'failed', details, hint };
}

/** It cannot be told, for this reason. */
export function unknown(summary: string): Result {
  return { outcome: 'unknown', summary };
}
