import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname } from 'node:path';
import { startProcess } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket, haproxyBinary, killTree, startHaproxy } from '../harness/haproxy.ts';
import type { ColdBed } from './coldBed.ts';

/** Milliseconds from the exec of a process, by what was reached. */
export type Marks = Readonly<Record<string, number>>;

/** Whether a service answers a request of a new connection. */
function answers(port: number, identity: string): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request({ host: '127.0.0.1', port, agent: false, timeout: 2_000 }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve(body === identity));
      response.on('error', () => resolve(false));
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(false));
    outgoing.end();
  });
}

async function until(port: number, identity: string, failed: () => string | undefined): Promise<void> {
  const serves = async (): Promise<boolean> => failed() !== undefined || (await answers(port, identity));
  await eventually(serves, { what: `port ${port} serves`, timeoutMs: 60_000, intervalMs: 2 });
  const problem = failed();
  if (problem !== undefined) throw new Error(`port ${port} does not serve: ${problem}`);
}

/** Waits until every service has answered a request. Only one is asked until it does: asking costs CPU time, too. */
async function allServe({ ports, identity }: ColdBed, failed: () => string | undefined): Promise<void> {
  const [last = 0, ...others] = [...ports].reverse();
  await until(last, identity, failed);
  const left = [...others];
  const asking = Array.from({ length: 16 }, async () => {
    for (let port = left.pop(); port !== undefined; port = left.pop()) await until(port, identity, failed);
  });
  await Promise.all(asking);
}

/** What every change of the configuration file changes. */
function look(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.ino} ${found.mtimeMs} ${found.size}`;
}

/**
 * Waits until the file is another one than `before`: no service can be served sooner. To ask a port all the time takes
 * half a core from whoever is measured, and he has two.
 */
async function fileChanged(
  { paths }: ColdBed,
  before: string,
  failed: () => string | undefined,
): Promise<void> {
  const changed = (): boolean => failed() !== undefined || look(paths.configFile) !== before;
  await eventually(changed, { what: 'the file is written', timeoutMs: 60_000, intervalMs: 2 });
}

/** The kernel's account of a process: CPU time in milliseconds, the highest resident size in MiB. */
async function accountOf(pid: number): Promise<{ readonly cpuMs: number; readonly peakMiB: number }> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * 10, peakMiB: Number(peak) / 1024 };
}

/** A managed HAProxy outlives its synapse by design; the next round must not meet it. */
async function endManaged(masterSocket: string): Promise<void> {
  // Its worker serves a moment before its master answers.
  const master = await eventually(
    async () => /^(\d+)\s+master/m.exec(await askSocket(masterSocket, 'show proc'))?.[1],
    { what: 'the master answers' },
  );
  await killTree(Number(master));
}

/** When the log says so, by message. */
function logged(output: string): (message: string) => number | undefined {
  const lines = output.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return [];
    const { message, timestamp } = JSON.parse(line) as { message: string; timestamp: string };
    return [[message, Date.parse(timestamp)] as const];
  });
  return (message) => lines.find(([each]) => each === message)?.[1];
}

/** One cold start of synapse: how long until each service serves, and when what was reached on the way. */
export async function startSynapse(
  bed: ColdBed,
  executable: string,
  mode: 'managed' | 'external',
): Promise<{ readonly marks: Marks; readonly cpuMs: number; readonly peakMiB: number }> {
  await bed.lay(mode === 'managed');
  const running =
    mode === 'external'
      ? await startHaproxy({ dir: dirname(bed.paths.configFile), config: bed.emptyConfig })
      : undefined;
  const [wall, start] = [Date.now(), performance.now()];
  const before = look(bed.paths.configFile);
  const agent = startProcess(process.execPath, [executable, '-c', bed.configFile]);
  const failed = (): string | undefined => (agent.running ? undefined : agent.output);
  try {
    await fileChanged(bed, before, failed);
    await allServe(bed, failed);
    const serving = performance.now() - start;
    const account = await accountOf(agent.pid);
    const file = await stat(bed.paths.configFile);
    const at = logged(agent.output);
    const since = (time: number | undefined): number => (time === undefined ? Number.NaN : time - wall);
    const marks = {
      'modules loaded, configuration read': since(at('starting')),
      'ZooKeeper session': since(at('ZooKeeper session started')),
      'haproxy.cfg checked and written': file.mtimeMs - wall,
      'every service serves': serving,
    };
    return { marks, ...account };
  } finally {
    await agent.stop('SIGTERM');
    // Where none was started there is something else to tell.
    if (mode === 'managed') await endManaged(bed.paths.masterSocket).catch(() => undefined);
    await running?.stop();
  }
}

/**
 * The same of Ruby's synapse, with an HAProxy that runs already: milliseconds. Its file lacks the last line's end,
 * which HAProxy 2.3 and later refuse, so the reload command adds it, as whoever runs the pair today has to.
 */
export async function startRubySynapse(bed: ColdBed, executable: string): Promise<number> {
  const { configFile } = bed.paths;
  const pidFile = `${configFile}.pid`;
  await bed.lay(false, `echo >> ${configFile} && kill -USR2 $(cat ${pidFile})`);
  const running = await startHaproxy({ dir: dirname(configFile), config: bed.emptyConfig });
  await writeFile(pidFile, String(running.pid));
  const before = look(configFile);
  const start = performance.now();
  const agent = startProcess(executable, ['-c', bed.configFile]);
  const failed = (): string | undefined => (agent.running ? undefined : agent.output);
  try {
    await fileChanged(bed, before, failed);
    await allServe(bed, failed);
    return performance.now() - start;
  } finally {
    await agent.stop('SIGTERM');
    await running.stop();
  }
}

/** How long Node needs to start and to end with nothing to do. */
export async function bareNode(): Promise<number> {
  const start = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return performance.now() - start;
}

/** How long HAProxy alone needs until every service serves, on the file that the last synapse left. */
export async function bareHaproxy(bed: ColdBed): Promise<number> {
  const { configFile, masterSocket } = bed.paths;
  const start = performance.now();
  const child = spawn(haproxyBinary, ['-W', '-S', masterSocket, '-f', configFile], { stdio: 'ignore' });
  await allServe(bed, () => (child.exitCode === null ? undefined : `HAProxy ended: ${child.exitCode}`));
  const took = performance.now() - start;
  const ended = once(child, 'exit');
  await killTree(child.pid ?? 0);
  await ended;
  return took;
}
