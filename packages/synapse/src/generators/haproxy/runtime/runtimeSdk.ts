import { describeError } from '@smartstack/agent';
import { askOnce, type RuntimeClientOptions } from './runtimeClient.js';
import { RuntimeApiError } from './runtimeError.js';

/** The little of haproxy-sdk 1.0.5 that we call. */
interface HaproxySdk {
  /** Internal, but its promise is the one that would end the process. */
  readonly _hap_processes: readonly { readonly process_nb: Promise<unknown> }[];
  /** The answer of `show info`, one record per process. */
  info(): Promise<readonly Readonly<Record<string, string>>[]>;
}
/** Throws strings. `retry` null means one attempt; times are in seconds. */
type HaproxySdkConstructor = new (
  socket: string,
  retry: number | null,
  retryInterval: number,
  timeout: number,
) => HaproxySdk;

/** Loaded when it is first needed, which is not the start. */
async function library(): Promise<HaproxySdkConstructor> {
  // @ts-expect-error -- the package ships no types; what we call of it is declared above.
  const { default: HAProxy } = (await import('haproxy-sdk')) as { readonly default: HaproxySdkConstructor };
  return HAProxy;
}

/** What a running worker says of itself (`show info`). */
export interface ProcessInfo {
  readonly pid: number;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly node: string;
  readonly maxConnections: number;
  readonly currentConnections: number;
  readonly requests: number;
}

function toProcessInfo(info: Readonly<Record<string, string>> | undefined, path: string): ProcessInfo {
  const number = (name: string): number => Number(info?.[name] ?? Number.NaN);
  const pid = number('Pid');
  const version = info?.Version;
  if (!Number.isInteger(pid) || version === undefined) {
    throw new RuntimeApiError('runtime-protocol', `no HAProxy answers on ${path}`);
  }
  return {
    pid,
    version,
    uptimeSeconds: number('Uptime_sec'),
    node: info?.node ?? '',
    maxConnections: number('Maxconn'),
    currentConnections: number('CurrConns'),
    requests: number('CumReq'),
  };
}

/** Paths with a call under way: a peer that falls silent in the middle costs one connection of the library, not one per call. */
const underWay = new Set<string>();

async function readThroughSdk(path: string): Promise<readonly Readonly<Record<string, string>>[]> {
  const HAProxy = await library();
  const sdk = new HAProxy(path, null, 0, 1);
  // The constructor itself asks the socket and drops the promise: unhandled, its rejection would end the agent.
  for (const { process_nb: question } of sdk._hap_processes) question.catch(() => undefined);
  return sdk.info();
}

/**
 * Reads what HAProxy says of itself, through haproxy-sdk. The library neither times out nor survives a dead
 * socket by itself, so the socket is probed first and the call runs under a deadline of ours.
 */
export async function readProcessInfo(path: string, options: RuntimeClientOptions): Promise<ProcessInfo> {
  if (underWay.has(path))
    throw new RuntimeApiError('runtime-timeout', `an earlier question on ${path} is unanswered`);
  await askOnce(path, 'show version', options);
  underWay.add(path);
  const answer = readThroughSdk(path).finally(() => underWay.delete(path));
  answer.catch(() => undefined);
  const { clock, deadlineMs, signal } = options;
  const deadline = new Promise<never>((_, reject) => {
    const timer = clock.setTimeout(
      () =>
        reject(
          new RuntimeApiError(
            'runtime-timeout',
            `haproxy-sdk got no answer on ${path} within ${deadlineMs} ms`,
          ),
        ),
      deadlineMs,
    );
    const onAbort = (): void => reject(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
    const clear = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    answer.then(clear, clear);
  });
  try {
    const [info] = await Promise.race([answer, deadline]);
    return toProcessInfo(info, path);
  } catch (error) {
    if (error instanceof RuntimeApiError || signal?.aborted === true) throw error;
    // It throws strings as often as errors.
    throw new RuntimeApiError(
      'runtime-unreachable',
      `haproxy-sdk failed on ${path}: ${describeError(error)}`,
    );
  }
}
