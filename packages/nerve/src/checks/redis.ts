import type { Socket } from 'node:net';
import * as z from 'zod';
import { optional, seconds, withDefault } from '../config/values.js';
import { defaultName, defineCheck } from './check.js';
import { oneLine } from './oneLine.js';
import type { Trace } from './trace.js';
import { loginConflicts, loginOptions, loginProbe, loginProblems } from './login.js';

/** Four short lines are all that is waited for. */
const maxAnswer = 4096;
const maxError = 200;

/** A command and what a good answer to it begins with. */
interface Step {
  readonly words: readonly string[];
  readonly good: RegExp;
}

/**
 * Passes when PING is answered, and then EXISTS, which a proxy has to pass on. Whether the key exists
 * does not matter.
 */
export const redisCheck = defineCheck({
  type: 'redis',
  options: {
    username: optional(z.coerce.string()).describe(
      'The user to log in as, with a password; Redis 6 and later.',
    ),
    key: withDefault(z.string().min(1).max(512), 'nerve-redis-service-check').describe(
      'The key to look for; whether it exists does not matter.',
    ),
    ...loginOptions,
    timeout: withDefault(seconds, 0.1).describe('Seconds for all of it, from connecting to the last answer.'),
  },
  conflicts: (options) => [
    ...loginConflicts(options),
    ...(options.username !== undefined && (options.password ?? options.passwordFile) === undefined
      ? [{ key: 'username', message: 'needs password or password_file' }]
      : []),
  ],
  problems: loginProblems,
  create: (options, context) => ({
    name: options.name ?? defaultName('redis', options, context),
    deadlineMs: options.timeout * 1000,
    probe: loginProbe(options, context, maxAnswer, async (login) => {
      const asked = steps(options.key, options.username, login.password);
      await converse(await login.open(), asked, login.signal, login.trace);
    }),
  }),
});

function steps(key: string, username: string | undefined, password: string | undefined): readonly Step[] {
  const login = [
    ...(username === undefined ? [] : [username]),
    ...(password === undefined ? [] : [password]),
  ];
  return [
    ...(password === undefined ? [] : [{ words: ['AUTH', ...login], good: /^\+OK$/ }]),
    { words: ['PING'], good: /^\+PONG$/ },
    // MOVED and ASK: the key is another node's of the cluster, which this one had to look up.
    { words: ['EXISTS', key], good: /^(:\d+$|-(MOVED|ASK) )/ },
  ];
}

/** A command as Redis reads it: a list of texts, each with its length. */
function encode(words: readonly string[]): string {
  return [`*${words.length}`, ...words.flatMap((word) => [`$${Buffer.byteLength(word)}`, word]), ''].join(
    '\r\n',
  );
}

/** Sends all commands at once, and reads a line for each. Rejects with the first that is not good. */
function converse(
  socket: Socket,
  asked: readonly Step[],
  signal: AbortSignal,
  trace: Trace | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let rest = '';
    let answered = 0;
    // Only the command: what follows it may be a password.
    const begin = (): void => {
      const command = asked[answered]?.words[0];
      if (command !== undefined) trace?.step(command);
    };
    const settle = (error?: Error): void => {
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString('latin1')).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const step = asked[answered];
        if (step === undefined) return;
        if (!step.good.test(line)) {
          settle(new Error(complaint(step, line)));
          return;
        }
        answered += 1;
        begin();
      }
      if (answered === asked.length) settle();
      else if (rest.length > maxAnswer) settle(new Error('the peer does not speak the protocol of Redis'));
    });
    socket.once('error', settle);
    socket.once('close', () =>
      settle(new Error(signal.aborted ? 'aborted' : 'the peer closed the connection')),
    );
    begin();
    socket.write(asked.map(({ words }) => encode(words)).join(''));
  });
}

/** Only what is an error of Redis is quoted: anything else may be what was sent, password and all. */
function complaint({ words: [command = ''] }: Step, line: string): string {
  if (line.startsWith('-')) return `${command}: ${oneLine(line.slice(1, maxError))}`;
  return `${command}: the peer does not speak the protocol of Redis`;
}
