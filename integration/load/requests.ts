import { type Agent, request } from 'node:http';
import { connect } from 'node:net';

const host = '127.0.0.1';

/** One GET; resolves with the body of a whole answer of status 200, rejects for anything else. */
function get(path: string, port: number, timeoutMs: number, agent: Agent | false): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, path, agent, timeout: timeoutMs }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`silence for ${timeoutMs} ms`)));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** Rejects unless an instance answered with its address. */
export async function askShort(port: number, timeoutMs: number, agent: Agent | false): Promise<void> {
  const body = await get('/', port, timeoutMs, agent);
  if (!/^127\.\d+\.\d+\.\d+$/.test(body)) throw new Error('a body that no instance sent');
}

/** Rejects unless a slow answer came to its end. */
export async function askStream(port: number, timeoutMs: number): Promise<void> {
  const body = await get('/stream', port, timeoutMs, false);
  if (!body.endsWith('whole\n')) throw new Error('a stream without its end');
}

/** One connection on which `lines` lines are sent, each `pauseMs` after the echo of the one before. */
export function converse(port: number, timeoutMs: number, lines: number, pauseMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host });
    let expected = '';
    let heard = '';
    let left = lines;
    const say = (): void => {
      left -= 1;
      heard = '';
      expected = `line ${left}\n`;
      socket.write(expected);
    };
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`silence for ${timeoutMs} ms`)));
    socket.on('connect', say);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed with ${left + 1} of ${lines} lines unanswered`)));
    socket.on('data', (chunk: string) => {
      heard += chunk;
      if (heard.length < expected.length) return;
      if (heard !== expected) socket.destroy(new Error('an echo of something else'));
      else if (left > 0) setTimeout(say, pauseMs);
      else {
        resolve();
        socket.end();
      }
    });
  });
}
