import { eventually } from '../harness/eventually.ts';
import { startProgram } from './program.ts';

/**
 * A kind of user: `fresh` and `keep-alive` ask over HTTP with a new connection for each request or one that is kept,
 * `stream` reads a slow answer on a new connection, `tcp` keeps a connection for a while and has lines repeated.
 */
export type ClientKind = 'fresh' | 'keep-alive' | 'stream' | 'tcp';

/** Users of one service. */
export interface Clients {
  readonly kind: ClientKind;
  readonly port: number;
  readonly count: number;
  /** Longest pause between two requests, in milliseconds; the mean is half of it. */
  readonly paceMs: number;
}

/** What a load process does until it is told to stop. */
export interface TrafficPlan {
  readonly clients: readonly Clients[];
  /** A request that takes longer has failed. */
  readonly timeoutMs: number;
}

/** What became of the requests of one kind. */
export interface KindTally {
  requests: number;
  failures: number;
  /** Longest time that a request took, in milliseconds. */
  slowestMs: number;
  /** How often each failure was met. */
  readonly messages: Record<string, number>;
  /** The first few failures: when sent, by the wall clock in milliseconds, and after how long. */
  readonly first: { readonly sentAt: number; readonly tookMs: number; readonly message: string }[];
}

/** By kind of user. */
export type Tally = Readonly<Partial<Record<ClientKind, KindTally>>>;

/** A running load. */
export interface Traffic {
  /** So far. */
  tally(): Promise<Tally>;
  /** Lets what is under way end, and returns the totals. */
  stop(): Promise<Tally>;
  /** The same once each kind of user has asked more than ten times: what few requests met proves little. */
  stopOnceUsed(): Promise<Tally>;
  /** Ends it at once. */
  kill(): Promise<void>;
}

/** Starts users in a process of their own, and waits until the first have been answered or have failed. */
export async function startTraffic(plan: TrafficPlan): Promise<Traffic> {
  let latest: Tally | undefined;
  let isFinal = false;
  const child = startProgram('trafficProcess', plan, (message) => {
    ({ tally: latest, isFinal } = message as { tally: Tally; isFinal: boolean });
  });
  const next = async (what: string, timeoutMs: number): Promise<Tally> =>
    eventually(
      () => {
        if (!child.running && latest === undefined) throw new Error(`the load ended: ${child.output}`);
        return latest;
      },
      { what, timeoutMs },
    );
  const tally = async (): Promise<Tally> => {
    latest = undefined;
    child.send('tally');
    return next('the load tells what it came to', 30_000);
  };
  await eventually(async () => Object.values(await tally()).every(({ requests }) => requests > 0), {
    what: 'the load has begun',
    timeoutMs: 30_000,
  });
  const stop = async (): Promise<Tally> => {
    latest = undefined;
    child.send('stop');
    const timeoutMs = plan.timeoutMs + 30_000;
    await eventually(() => isFinal || !child.running, { what: 'the load has ended', timeoutMs });
    await child.stop('SIGKILL');
    return next('the load has told what it came to', 0);
  };
  return {
    tally,
    stop,
    stopOnceUsed: async () => {
      await eventually(async () => Object.values(await tally()).every(({ requests }) => requests > 10), {
        what: 'each kind of user has asked often enough',
        timeoutMs: 60_000,
        intervalMs: 100,
      });
      return stop();
    },
    kill: () => child.stop('SIGKILL'),
  };
}

/** How many requests failed, of all kinds or of some. */
export function failuresOf(tally: Tally, kinds?: readonly ClientKind[]): number {
  return Object.entries(tally).reduce(
    (sum, [kind, { failures }]) =>
      kinds === undefined || kinds.some((each) => each === kind) ? sum + failures : sum,
    0,
  );
}

/** Failures as sentences, each kind's counts and first few; empty when nothing failed. */
export function describeFailures(tally: Tally): readonly string[] {
  return Object.entries(tally).flatMap(([kind, { requests, failures, messages, first }]) => {
    if (failures === 0) return [];
    const counts = Object.entries(messages).map(([message, count]) => `${count} x ${message}`);
    const examples = first.map(
      ({ sentAt, tookMs, message }) =>
        `${new Date(sentAt).toISOString()} + ${Math.round(tookMs)} ms: ${message}`,
    );
    return [
      `${kind}: ${failures} of ${requests} failed: ${counts.join('; ')}. First: ${examples.join('; ')}`,
    ];
  });
}
