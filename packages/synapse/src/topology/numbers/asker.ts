import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { AgentError, type Clock, describeError } from '@smartstack/agent';
import type { Asked } from './metrics.js';
import { decodeNumbers, type HostNumbers, maxAnswerBytes } from './answer.js';
import {
  authorizationOf,
  type Challenge,
  isProvenAnswer,
  newChallenge,
  numbersPath,
  windowMs,
} from './proof.js';
import { type Target, targetText } from './target.js';

/** For one whole exchange, in milliseconds. */
const patienceMs = 2_000;
const maxHeaderBytes = 4_096;

/** What a host told, and how large that was. */
export interface Heard {
  readonly numbers: HostNumbers;
  readonly bytes: number;
}

/** Why a host told nothing that counts. */
export class AskError extends AgentError {
  readonly result: Exclude<Asked, 'answered'>;

  constructor(result: Exclude<Asked, 'answered'>, message: string) {
    super('no_numbers', message, { retriable: true });
    this.result = result;
  }
}

/**
 * Asks a host for its numbers: one GET of one path, of an address, that goes nowhere else whatever it answers. The key
 * is not sent. Rejects with an AskError that says why there are none, within two seconds.
 */
export async function askNumbers(
  target: Target,
  key: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Heard> {
  const challenge = newChallenge(targetText(target), clock.now());
  const { body, proof } = await exchange(target, authorizationOf(key, challenge), { clock, signal });
  return judged(body, proof, key, challenge);
}

function judged(body: Buffer, proof: string | undefined, key: string, challenge: Challenge): Heard {
  // Nothing of what a stranger says is looked at any further.
  if (!isProvenAnswer(key, challenge, body, proof))
    throw new AskError('unproven', 'its answer is not proven: it has another key, or is no synapse');
  const numbers = decodeNumbers(body);
  if (numbers === undefined)
    throw new AskError('unusable', 'its answer makes no sense: is it of a newer version?');
  return { numbers, bytes: body.length };
}

interface Answer {
  readonly body: Buffer;
  readonly proof: string | undefined;
}

function exchange(
  target: Target,
  authorization: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      ...{ host: target.host, port: target.port, method: 'GET', path: numbersPath },
      ...{ agent: false, maxHeaderSize: maxHeaderBytes, signal },
      headers: { authorization, accept: 'application/json' },
    });
    const timer = clock.setTimeout(
      () => request.destroy(new AskError('late', `no answer within ${patienceMs / 1_000} s`)),
      patienceMs,
    );
    request.on('response', (response) => read(request, response, clock, resolve));
    request.on('error', (error) => {
      reject(error instanceof AskError ? error : new AskError('unreachable', reasonOf(error)));
    });
    request.once('close', () => {
      timer.cancel();
      // Whatever ends early says so as an error, or not at all.
      reject(new AskError('unreachable', 'it closed the connection'));
    });
    request.end();
  });
}

function read(
  request: ClientRequest,
  response: IncomingMessage,
  clock: Clock,
  resolve: (answer: Answer) => void,
): void {
  const { statusCode = 0, headers } = response;
  if (statusCode !== 200) {
    request.destroy(new AskError('refused', refusalOf(statusCode, headers.date, clock.now())));
    return;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) request.destroy(new AskError('unusable', 'it answers too much'));
    else chunks.push(chunk);
  });
  response.once('error', (error) => request.destroy(error));
  response.once('end', () => {
    const proof = headers['x-smartstack-proof'];
    resolve({ body: Buffer.concat(chunks), proof: typeof proof === 'string' ? proof : undefined });
  });
}

function refusalOf(status: number, date: string | undefined, now: number): string {
  if (status !== 401) return `it answers ${status}`;
  const apartMs = Math.abs(Date.parse(date ?? '') - now);
  return apartMs > windowMs
    ? `it refuses us: its clock and ours are ${Math.round(apartMs / 1_000)} s apart`
    : 'it refuses us: it has another key';
}

function reasonOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'nobody listens there';
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'there is no way there';
  if (code === 'ECONNRESET') return 'it closed the connection';
  if (code?.startsWith('HPE_') === true) return 'it speaks no HTTP';
  return describeError(error);
}
