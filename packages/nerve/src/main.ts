import {
  createLogger,
  exitCode,
  type Logger,
  loggerOptions,
  type LogSettings,
  runMain,
  systemClock,
  within,
} from '@smartstack/agent';
import { onHangup } from '@smartstack/agent/hangups';
import { importModule } from '@smartstack/agent/importing';
import { killAllGroups } from './checks/processGroups.js';
import { checkConfig } from './cli/checkConfig.js';
import { plainCommand } from './cli/command.js';
import { runNerve } from './nerve.js';
import { PluginLoader } from '@smartstack/agent/plugins';
import { version } from './version.js';

const { env, stdout, stderr } = process;

/** For whoever reads what a command prints, in milliseconds. */
const printingMs = 30_000;

function loggerFor(settings: LogSettings): Logger {
  return createLogger(loggerOptions(settings, { debug: env.DEBUG !== undefined, isTerminal: stderr.isTTY }));
}

/** Ends the process once all is printed: a module of a check may hold on to anything. */
async function end(code: number): Promise<void> {
  // A pipe takes what is printed in pieces; a reader that never reads must not hold us up for ever.
  const printed = [stdout, stderr].map(
    (stream) => new Promise<void>((done) => stream.write('', () => done())),
  );
  await within(Promise.all(printed), printingMs, systemClock);
  process.exit(code);
}

async function main(): Promise<void> {
  // Whoever reads what we print may go away; that is no failure.
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
  const args = process.argv.slice(2);
  const command =
    plainCommand(args, env) ?? (await import('./cli/commandLine.js')).parseCommandLine(args, env, version);
  const plugins = new PluginLoader({ clock: systemClock, importModule });
  switch (command.kind) {
    case 'help':
    case 'version':
      stdout.write(`${command.text}\n`);
      return;
    case 'usage':
      stderr.write(`nerve: ${command.text}\n`);
      process.exitCode = exitCode.usage;
      return;
    case 'check': {
      const code = await checkConfig(
        { ...command, plugins },
        (stream, line) => void process[stream].write(`${line}\n`),
      );
      stdout.write('exiting nerve\n');
      await end(code);
      return;
    }
    case 'action': {
      process.on('exit', killAllGroups);
      // With process groups of their own, what checks started would not hear of it.
      process.on('SIGINT', () => process.exit(130)).on('SIGTERM', () => process.exit(143));
      const { act } = await import('./cli/act.js');
      const code = await act(command.action, {
        ...{ clock: systemClock, env, plugins, width: stdout.isTTY ? stdout.columns : undefined },
        print: (stream, text) => void process[stream].write(`${text}\n`),
      });
      await end(code);
      return;
    }
    case 'run': {
      // However it ends, but for SIGKILL: nothing that a check started stays behind.
      process.on('exit', killAllGroups);
      const logger = loggerFor({ level: undefined, format: undefined });
      const options = { ...command, plugins, clock: systemClock, env, logger, createLogger: loggerFor };
      await runMain(
        async (lifetime) => {
          await runNerve({ ...options, lifetime });
          stdout.write('exiting nerve\n');
        },
        {
          clock: systemClock,
          logger,
          onSignal: (signal, listener) => {
            if (signal === 'SIGHUP') onHangup(listener);
            else process.on(signal, listener);
          },
          onUncaught: (listener) =>
            void process.on('uncaughtException', listener).on('unhandledRejection', listener),
          exit: (code) => process.exit(code),
        },
      );
    }
  }
}

main().catch((error: unknown) => {
  stderr.write(`nerve: ${String(error)}\n`);
  process.exitCode = exitCode.failure;
});
