import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../harness/eventually.ts';

/** Every process of a demo, however deep, has this in its environment, with the demo's folder as the value. */
export const marker = 'SMARTSTACK_DEMO';
const prefix = 'smartstack-demo-';

/** When a process started, in clock ticks since boot: with the pid it names a process for ever. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name is in parentheses and may hold anything; state is the field after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Pids of the processes that a demo with this folder started and that still run, this one not counted. */
export function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && startTime(pid) !== undefined)
    .filter((pid) => read(`/proc/${pid}/environ`).split('\0').includes(`${marker}=${folder}`));
}

/** Ends every process of a demo and removes its folder. */
export async function removeDemo(folder: string): Promise<void> {
  await eventually(
    () => {
      const left = processesOf(folder);
      for (const pid of left) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended by itself a moment ago.
        }
      }
      return left.length === 0;
    },
    { what: `all processes of ${folder} are gone`, timeoutMs: 10_000, intervalMs: 20 },
  );
  rmSync(folder, { recursive: true, force: true });
}

/** A folder for this demo; what a killed one left behind is cleaned up first. Returns the folders removed, too. */
export async function makeDemoFolder(): Promise<{ readonly folder: string; readonly removed: string[] }> {
  const removed: string[] = [];
  for (const name of readdirSync(tmpdir()).filter((each) => each.startsWith(prefix))) {
    const folder = join(tmpdir(), name);
    const [pid, started] = read(join(folder, 'owner')).split(' ');
    // Without its owner's name it is either not ours or not yet complete.
    if (pid === undefined || started === undefined) continue;
    if (startTime(Number(pid)) === started) continue;
    await removeDemo(folder);
    removed.push(folder);
  }
  const folder = mkdtempSync(join(tmpdir(), prefix));
  writeFileSync(join(folder, 'owner'), `${process.pid} ${startTime(process.pid) ?? ''}`);
  return { folder, removed };
}
