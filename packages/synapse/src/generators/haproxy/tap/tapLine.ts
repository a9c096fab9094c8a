import { tapLineMark } from '../desired/tapNames.js';
import type { TapRequest } from '../../../tap/shapes.js';

/** What a line of the ring says. */
export interface TapLine {
  readonly pid: number;
  /** How many lines HAProxy wrote about this frontend before. */
  readonly count: number;
  readonly frontend: string;
  readonly request: Omit<TapRequest, 'service'>;
}

/** Words before what the client sent. */
const fixedWords = 14;

function integer(word: string | undefined): number | undefined {
  if (word === undefined || !/^[+-]?\d{1,16}$/.test(word)) return undefined;
  return Number(word);
}

/** Undoes HAProxy's JSON escapes; of a text that was cut off within one, what is whole. */
function unescaped(text: string): string {
  const plain = text.replaceAll('\\/', '/');
  if (!plain.includes('\\')) return plain;
  try {
    return String(JSON.parse(`"${plain}"`));
  } catch {
    const whole = plain.replace(/\\(u[0-9a-fA-F]{0,3})?$/, '');
    try {
      return String(JSON.parse(`"${whole}"`));
    } catch {
      return whole;
    }
  }
}

function outcomeOf(status: number, termination: string): TapRequest['outcome'] {
  if (/^c/i.test(termination)) return 'aborted';
  return status >= 500 || status < 0 ? 'failure' : 'success';
}

/** Reads one line, without its end; undefined for one that is not ours. */
export function parseTapLine(line: string): TapLine | undefined {
  const words = line.split(' ');
  if (words[0] !== tapLineMark || words.length < fixedWords + 1) return undefined;
  const [, pid, count, end, frontend = '', , server = '', source = '', port, status, bytes] = words;
  const [, , , , , , , , , , , retries = '', termination = '', answer] = words;
  const [begin, method = null, ...path] = words.slice(fixedWords);
  const numbers = [pid, count, end, status, bytes].map(integer);
  const [pidNumber, countNumber, endUs, statusNumber, bytesNumber] = numbers;
  if (
    pidNumber === undefined ||
    countNumber === undefined ||
    endUs === undefined ||
    statusNumber === undefined ||
    bytesNumber === undefined
  )
    return undefined;
  const beginUs = integer(begin);
  const answerUs = integer(answer);
  const since = (us: number | undefined): number | null =>
    // The clock may have been set back meanwhile.
    us === undefined || beginUs === undefined ? null : Math.max(0, us - beginUs) / 1e6;
  return {
    pid: pidNumber,
    count: countNumber,
    frontend,
    request: {
      type: 'request',
      at: Math.floor(endUs / 1000),
      server: server.startsWith('<') ? null : server,
      ...{ source, sourcePort: integer(port) ?? 0 },
      method: beginUs === undefined ? null : method,
      path: beginUs === undefined ? null : unescaped(path.join(' ')),
      ...{ status: statusNumber, bytes: bytesNumber },
      ...{ latency: since(answerUs), duration: since(endUs) },
      ...{ retries: Math.abs(integer(retries) ?? 0), redispatched: retries.startsWith('+') },
      ...{ termination, outcome: outcomeOf(statusNumber, termination) },
    },
  };
}
