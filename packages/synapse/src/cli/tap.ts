import { AgentError, type Clock, exitCode } from '@smartstack/agent';
import { ApiError } from '@smartstack/agent/apiClient';
import { BadUsage, connect, plainText, reader } from '@smartstack/agent/cli';

import { type TapCounts, type TapEvent, tapEventShape, type TapRequest } from '../tap/shapes.js';
import type { LiveQuestion } from './invocation.js';
import type { Screen } from './screen.js';
import { type LiveView, missingText } from './liveView.js';
import { TopPage } from './top.js';
import { bytes, latency } from './units.js';

/** What looking needs. */
export interface LiveContext {
  readonly clock: Clock;
  readonly screen: Screen;
}

/** Where the agent listens unless `admin.listen` says otherwise. */
const usual = [{ host: '127.0.0.1', port: 3455 }];

const readEvent = reader('synapse', tapEventShape);

/**
 * Shows requests while they pass, until they end, or the command is told to. Returns the exit code; whatever was expected
 * to go wrong is printed.
 */
export async function watch(question: LiveQuestion, { clock, screen }: LiveContext): Promise<number> {
  const stop = new AbortController();
  screen.onEnd(() => stop.abort());
  const view =
    question.about === 'top'
      ? new TopPage(screen, clock, question.output === 'json')
      : new TapLines(screen, question.output === 'json');
  let counts: TapCounts | undefined;
  try {
    const client = await connect(question, usual, clock);
    for await (const line of client.follow(question.path, stop.signal)) {
      if (line === '') continue;
      const event = readEvent(parsed(line));
      if (event.type === 'status' || event.type === 'end') counts = event;
      view.event(event, line);
      if (!screen.write('')) await screen.drained();
    }
    view.end(counts);
    return exitCode.stopped;
  } catch (error) {
    view.end(counts);
    if (stop.signal.aborted) return exitCode.stopped;
    if (!(error instanceof AgentError)) throw error;
    screen.err(`synapse: ${plainText(error.message)}`);
    if (error instanceof BadUsage || (error instanceof ApiError && error.status === 400))
      return exitCode.usage;
    return error instanceof ApiError && error.code === 'unreachable'
      ? exitCode.unavailable
      : exitCode.failure;
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new ApiError('not_an_agent', 'it does not answer with lines of JSON');
  }
}

/** `14:02:11.123`, local time. */
function timeOf(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** One request on a line, for people. */
function requestLine(request: TapRequest): string {
  const { at, source, sourcePort, service, server, method, path, status } = request;
  const host = source.includes(':') ? `[${source}]` : source;
  const parts = [
    `req at=${timeOf(at)} src=${host}:${sourcePort} dst=${service}/${server ?? '-'}`,
    `:method=${method ?? '-'} :path=${path ?? '-'} :status=${status}`,
    `latency=${latency(request.latency) || '-'} duration=${latency(request.duration) || '-'}`,
    `bytes=${bytes(request.bytes)}`,
    ...(request.retries > 0 ? [`retries=${request.retries}`] : []),
    ...(request.termination === '--' ? [] : [`end=${request.termination}`]),
    ...(request.outcome === 'success' ? [] : [request.outcome]),
  ];
  return plainText(parts.join(' '));
}

/** `synapse tap`: a line for each request. */
class TapLines implements LiveView {
  readonly #screen: Screen;
  readonly #isJson: boolean;
  #shown = 0;
  #attached: boolean | undefined;

  constructor(screen: Screen, isJson: boolean) {
    this.#screen = screen;
    this.#isJson = isJson;
  }

  event(event: TapEvent, line: string): void {
    if (this.#isJson) this.#screen.out(line);
    if (event.type === 'request') {
      this.#shown += 1;
      if (!this.#isJson) this.#screen.out(requestLine(event));
    } else if (event.type === 'start') {
      for (const { service, reason } of event.notTapped)
        this.#screen.err(`synapse: ${service} cannot be tapped: ${plainText(reason)}`);
    } else if (event.type === 'status' && event.attached !== this.#attached) {
      if (!event.attached) this.#screen.err(`synapse: waiting for HAProxy: ${plainText(event.reason ?? '')}`);
      else if (this.#attached === false) this.#screen.err('synapse: HAProxy is there again');
      this.#attached = event.attached;
    }
  }

  end(counts: TapCounts | undefined): void {
    const missing = counts === undefined ? '' : missingText(counts);
    this.#screen.err(`synapse: ${this.#shown} shown${missing === '' ? '' : `; ${missing}`}`);
  }
}
