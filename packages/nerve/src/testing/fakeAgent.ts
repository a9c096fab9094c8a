import type { Clock } from '@smartstack/agent';
import { FakeClock } from '@smartstack/agent/testing';
import { act } from '../cli/act.js';
import { parseCommandLine } from '../cli/commandLine.js';
import type { ServiceView } from '../cli/statusTable.js';
import { noPlugins } from '@smartstack/agent/plugins';
import { httpServer } from './servers.js';

/** A request as an agent got it. */
export interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly body: unknown;
  readonly authorization: string | undefined;
}

/** What an agent answers: a value, with another status than 200; or nothing: it breaks the connection, or never says a word. */
export type Answer = { readonly status?: number; readonly value: unknown } | 'broken' | 'silent';

/** An agent of the test's own making. Returns where it is, and what it was asked. */
export async function fakeAgent(answer: (asked: Asked) => Answer) {
  const all: Asked[] = [];
  const { port, close } = await httpServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.once('end', () => {
      const { method, url, headers } = request;
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      const asked = { method, url, body, authorization: headers.authorization };
      all.push(asked);
      const answered = answer(asked);
      if (answered === 'broken') response.destroy();
      else if (answered !== 'silent')
        response.writeHead(answered.status ?? 200).end(JSON.stringify(answered.value));
    });
  });
  return { address: `127.0.0.1:${port}`, asked: all, close };
}

/** A clock on which whoever sleeps wakes up at once, and it is later then. */
export class SleeplessClock extends FakeClock {
  override async sleep(delayMs: number): Promise<void> {
    await this.advance(delayMs);
  }
}

/** Runs a command line as `main.ts` does. */
export async function command(words: readonly string[], clock: Clock = new SleeplessClock()) {
  const parsed = parseCommandLine(words, {}, '1.2.3');
  if (parsed.kind !== 'action') throw new Error(`${words.join(' ')}: ${JSON.stringify(parsed)}`);
  const printed = { stdout: '', stderr: '' };
  const code = await act(parsed.action, {
    ...{ clock, env: { SUDO_USER: 'ann', USER: 'root' }, plugins: noPlugins, width: undefined },
    print: (stream, text) => (printed[stream] += `${text}\n`),
  });
  return { code, ...printed };
}

/** A service as an agent shows it, up and registered. */
export function view(service: string, more: Partial<ServiceView> = {}): ServiceView {
  return {
    ...{ service, health: 'up', instance: { host: '10.0.0.5', port: 80 }, registration: { kind: 'present' } },
    ...{ weight: {}, throttled: false, checks: [], transitions: [], ...more },
  };
}
