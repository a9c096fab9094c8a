// npm run demo [-- --check]
import { setMaxListeners } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { awaitReady, check } from './check.ts';
import { writeConfiguration } from './configuration.ts';
import { makeDemoFolder, marker, processesOf, removeDemo } from './folder.ts';
import { Live } from './live.ts';
import { DemoSystem } from './system.ts';
import { askHttp, askTcp, Traffic } from './traffic.ts';

const usage = `npm run demo              the whole system on this machine, live, until Ctrl-C
npm run demo -- --check   the same unattended: proves that it works, exits 0 or 1`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** The last lines of every log, for someone who has to find out why it did not work. */
function printLogs(folder: string): void {
  const logs = join(folder, 'logs');
  if (!existsSync(logs)) return;
  for (const file of readdirSync(logs)) {
    const lines = readFileSync(join(logs, file), 'utf8').trimEnd().split('\n').slice(-15);
    print([`--- ${file}`, ...lines].join('\n'));
  }
}

async function demo(folder: string, unattended: boolean, stop: AbortSignal): Promise<void> {
  // An unattended run takes free ports, so that it fits beside anything, another demo included.
  const configuration = await writeConfiguration(folder, unattended);
  for (const note of configuration.notes) print(note);
  print(`starting ZooKeeper, HAProxy, nerve, synapse and ${configuration.instances.length} instances …`);
  let live: Live | undefined;
  const system = await DemoSystem.start({
    folder,
    configuration,
    restart: !unattended,
    onEvent: (text) => (live === undefined ? print(text) : live.event(text)),
  });
  const ending = new AbortController();
  const end = AbortSignal.any([stop, ending.signal]);
  setMaxListeners(50, end);
  const running: Promise<void>[] = [];
  try {
    await awaitReady(configuration, stop);
    const traffic = new Map(
      [...configuration.frontends].map(([service, port]) => [
        service,
        new Traffic(service === 'echo' ? askTcp(port) : askHttp(port), unattended ? 100 : 20),
      ]),
    );
    running.push(...[...traffic.values()].map((each) => each.run(end)));
    if (unattended) {
      await check({ configuration, system, traffic, print });
    } else {
      live = new Live({ folder, configuration, system, traffic, output: process.stdout });
      running.push(system.keepZooKeeper(end));
      await live.run(end);
    }
  } finally {
    ending.abort();
    await Promise.all(running);
    await system.stop();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    print(usage);
    return 0;
  }
  const unattended = values.check ?? false;
  const { folder, removed } = await makeDemoFolder();
  for (const each of removed) print(`cleaned up after a demo that was killed (${each})`);
  // Inherited by whatever the demo starts: it marks the processes, and keeps their files in the folder.
  process.env[marker] = folder;
  process.env.TMPDIR = folder;

  // The terminal may be gone (SIGHUP): cleaning up matters more than saying so.
  process.stdout.on('error', () => undefined);
  const stop = new AbortController();
  let signals = 0;
  const onSignal = (): void => {
    signals += 1;
    stop.abort();
    // A second Ctrl-C does not wait for anybody.
    if (signals > 1)
      removeDemo(folder).then(
        () => process.exit(1),
        () => process.exit(1),
      );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);

  let code = 0;
  try {
    await demo(folder, unattended, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) {
      printLogs(folder);
      print(`failed: ${error instanceof Error ? error.message : String(error)}`);
      code = 1;
    }
  }
  const left = processesOf(folder);
  if (code === 0 && left.length > 0) {
    print(`failed: processes were left behind: ${left.join(', ')}`);
    code = 1;
  }
  await removeDemo(folder);
  if (code === 0) print(unattended ? 'The demo works.' : 'Everything is stopped and removed.');
  return code;
}

process.exit(await main());
