import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { askOnce, RuntimeSession } from './runtimeClient.js';
import { assertSingleCommand, RuntimeApiError } from './runtimeError.js';
import { type Answer, FakeCli } from '../testing/fakeCli.js';

const options = { clock: systemClock, deadlineMs: 150 };
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function fake(answer: Answer): Promise<FakeCli> {
  const cli = await FakeCli.start(answer);
  cleanups.push(() => cli.stop());
  return cli;
}

/** A peer that writes `bytes` at once and then does what `after` says. */
async function rawPeer(bytes: string | Buffer, after: 'stay' | 'end' | 'reset' = 'stay'): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'raw-'));
  const path = join(dir, 's');
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.resume();
    socket.write(bytes);
    if (after === 'end') socket.end();
    if (after === 'reset') socket.destroy();
    cleanups.push(async () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  cleanups.push(async () => {
    server.close();
    await rm(dir, { recursive: true });
  });
  return path;
}

const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'no failure',
    (error: unknown) => (error instanceof RuntimeApiError ? error.code : error),
  );

describe('RuntimeSession', () => {
  it('pairs pipelined commands with their answers, whatever these hold', async () => {
    const cli = await fake((command) =>
      command === 'big' ? `${'x'.repeat(300_000)}\nend` : `re ${command}`,
    );
    const session = await RuntimeSession.open(cli.path, options);
    const answers = await Promise.all(['a', 'big', 'c'].map((command) => session.ask(command)));
    expect(answers.map((answer) => answer.length)).toEqual([4, 300_004, 4]);
    expect(answers[2]).toBe('re c');
    session.close();
  });

  it('puts together answers that arrive byte by byte', async () => {
    const cli = await fake((command, socket) => {
      const text = `> ${command} > \nline\n\n> `;
      const writeFrom = (at: number): void => {
        if (at >= text.length) return;
        socket.write(text.slice(at, at + 1));
        setImmediate(() => writeFrom(at + 1));
      };
      writeFrom(0);
      return undefined;
    });
    const session = await RuntimeSession.open(cli.path, options);
    expect(await session.ask('slow')).toBe('> slow > \nline');
    session.close();
  });

  it('gives up on a peer that stops answering, for every command sent', async () => {
    const cli = await fake((command) => (command === 'first' ? 'ok' : undefined));
    const session = await RuntimeSession.open(cli.path, options);
    const codes = await Promise.all(
      ['first', 'second', 'third'].map((command) => codeOf(session.ask(command))),
    );
    expect(codes).toEqual(['no failure', 'runtime-timeout', 'runtime-timeout']);
    expect(await codeOf(session.ask('later'))).toBe('runtime-timeout');
  });

  it('does not count slow but steady answers as silence', async () => {
    const cli = await fake((command, socket) => {
      setTimeout(() => socket.write(`${command}\n> `), 70 * Number(command));
      return undefined;
    });
    const session = await RuntimeSession.open(cli.path, options);
    expect(await Promise.all(['1', '2', '3', '4'].map((each) => session.ask(each)))).toEqual([
      '1',
      '2',
      '3',
      '4',
    ]);
    session.close();
  });

  it('tells a missing socket, a refused one, a half-closed one, a reset one and a stranger apart', async () => {
    const dead = await fake(() => '');
    const missing = join(tmpdir(), 'no-such-socket');
    expect(await codeOf(RuntimeSession.open(missing, options))).toBe('runtime-unreachable');
    expect(await codeOf(RuntimeSession.open(await rawPeer('', 'end'), options))).toBe('runtime-closed');
    expect(await codeOf(RuntimeSession.open(await rawPeer('', 'reset'), options))).toMatch(
      /closed|unreachable/,
    );
    expect(await codeOf(RuntimeSession.open(await rawPeer('HTTP/1.1 400\r\n'), options))).toBe(
      'runtime-timeout',
    );
    expect(await codeOf(RuntimeSession.open(await rawPeer('220 mail\n> '), options))).toBe(
      'runtime-protocol',
    );
    expect(await codeOf(RuntimeSession.open(dead.path, options))).toBe('no failure');
  });

  it('takes a peer that stands still for silent, also when no more connections fit in its queue', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'still-')), 's');
    const stand = "() => { console.log('listens'); process.kill(process.pid, 'SIGSTOP'); }";
    const program = `require('node:net').createServer().listen({ path: ${JSON.stringify(path)}, backlog: 2 }, ${stand})`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    cleanups.push(async () => {
      child.kill('SIGKILL');
      await rm(dirname(path), { recursive: true });
    });
    await once(child.stdout, 'data');
    const attempts = Array.from({ length: 8 }, () => codeOf(RuntimeSession.open(path, options)));
    expect(new Set(await Promise.all(attempts))).toEqual(new Set(['runtime-timeout']));
    const questions = Array.from({ length: 8 }, () => codeOf(askOnce(path, 'show proc', options)));
    expect(new Set(await Promise.all(questions))).toEqual(new Set(['runtime-timeout']));
  });

  it('takes a peer that is killed over a question for one that closed, not for one that never was', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'killed-')), 's');
    const stand = "socket.write('\\n> ', () => process.kill(process.pid, 'SIGSTOP'))";
    const serve = `(socket) => socket.once('data', () => ${stand})`;
    const program = `require('node:net').createServer(${serve}).listen('${path}', () => console.log('listens'))`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    cleanups.push(() => rm(dirname(path), { recursive: true }));
    await once(child.stdout, 'data');
    const session = await RuntimeSession.open(path, { ...options, deadlineMs: 20_000 });
    const stopped = async () => /^State:\s+T/m.test(await readFile(`/proc/${child.pid}/status`, 'utf8'));
    await expect.poll(stopped).toBe(true);
    const asked = session.ask('show info').catch((error: unknown) => error);
    // Once written, it waits unread in the peer's queue.
    await new Promise(setImmediate);
    child.kill('SIGKILL');
    expect(await asked).toMatchObject({ code: 'runtime-closed', cause: { code: 'ECONNRESET' } });
  });

  it('refuses answers to questions that nobody asked', async () => {
    const path = await rawPeer('\n> \n> more');
    const session = await RuntimeSession.open(path, options).catch((error: unknown) => error);
    const failed =
      session instanceof RuntimeSession
        ? await codeOf(session.ask('show info'))
        : (session as RuntimeApiError).code;
    expect(failed).toBe('runtime-protocol');
  });

  it('ends what waits when it is aborted, and closes its connection', async () => {
    const cli = await fake(() => undefined);
    const abort = new AbortController();
    const session = await RuntimeSession.open(cli.path, { ...options, signal: abort.signal });
    const asked = codeOf(session.ask('show info'));
    abort.abort();
    expect(await asked).toBe('runtime-closed');
    await expect.poll(() => cli.connections).toBe(0);
    await expect(RuntimeSession.open(cli.path, { ...options, signal: abort.signal })).rejects.toThrow();
  });

  it('survives any bytes a peer sends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom('end', 'reset'),
        async (bytes, after) => {
          const path = await rawPeer(Buffer.from(bytes), after);
          expect(await codeOf(RuntimeSession.open(path, { ...options, deadlineMs: 1000 }))).toMatch(
            /^runtime-|no failure/,
          );
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('askOnce', () => {
  it('half-closes and reads to the end', async () => {
    const cli = await fake(() => '#<PID>\n# workers');
    expect(await askOnce(cli.path, 'show proc', options)).toBe('#<PID>\n# workers');
  });

  it('gives up on a silent peer', async () => {
    const cli = await fake(() => undefined);
    expect(await codeOf(askOnce(cli.path, 'show proc', options))).toBe('runtime-timeout');
  });
});

describe('assertSingleCommand', () => {
  it('refuses whatever could be more than one command', () => {
    const bad = [
      '',
      ' ',
      'a\nb',
      'a;b',
      'a\\;b',
      'a <<',
      'a\u0000',
      'a\u007f',
      'a\rb',
      `a ${'b'.repeat(16_382)}`,
    ];
    for (const command of bad) expect(() => assertSingleCommand(command), command).toThrow(RuntimeApiError);
    expect(() => assertSingleCommand(`a ${'b'.repeat(16_380)}`)).not.toThrow();
  });
});
