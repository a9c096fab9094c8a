import { systemClock } from '@smartstack/agent';
import { onHangup } from '@smartstack/agent/hangups';
import { importModule } from '@smartstack/agent/importing';
import { PluginLoader } from '@smartstack/agent/plugins';

import { runCommandLine } from './cli/commands.js';
import type { Screen } from './cli/screen.js';
import { generators } from './generators/index.js';

const { stdout, stderr } = process;
const screen: Screen = {
  out: (line) => void stdout.write(`${line}\n`),
  err: (line) => void stderr.write(`${line}\n`),
  size: () => (stdout.isTTY ? { columns: stdout.columns, rows: stdout.rows } : undefined),
  write: (text) => stdout.write(text),
  drained: () => new Promise((done) => void stdout.write('', () => done())),
  onEnd: (listener) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, listener);
    // Whoever reads may have had enough: head.
    for (const stream of [stdout, stderr]) stream.on('error', listener);
  },
};

// Not awaited: a bundle in CommonJS has no top-level await. A failure ends the process as an unhandled rejection.
export const ended = runCommandLine(
  {
    argv: process.argv.slice(2),
    env: process.env,
    isTerminal: process.stderr.isTTY,
    width: process.stdout.isTTY ? process.stdout.columns : undefined,
    printed: async () => {
      // A pipe takes what is printed in pieces.
      const streams = [process.stdout, process.stderr];
      await Promise.all(streams.map((stream) => new Promise<void>((done) => stream.write('', () => done()))));
    },
    screen: () => screen,
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    plugins: new PluginLoader({ clock: systemClock, importModule }),
    process: {
      onSignal: (signal, listener) => {
        if (signal === 'SIGHUP') onHangup(listener);
        else process.on(signal, listener);
      },
      onUncaught: (listener) => {
        process.on('uncaughtException', listener);
        process.on('unhandledRejection', listener);
      },
      exit: (code) => process.exit(code),
    },
  },
  generators,
);
