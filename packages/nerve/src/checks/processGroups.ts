import type { Clock } from '@smartstack/agent';

/** How long to wait for the members of a killed group to be gone, in milliseconds; one may hang in the kernel. */
const patienceMs = 2_000;
const lookEveryMs = 10;

/** The leaders of all groups that this process has started and that may still have members. */
const groups = new Set<number>();

/** Takes note of a process group that was just started. */
export function noteGroup(leader: number): void {
  groups.add(leader);
}

/** Kills whatever is left of a group. Resolves when all of it is gone, or after 2 s. */
export async function endGroup(leader: number, clock: Clock): Promise<void> {
  const until = clock.monotonic() + patienceMs;
  // A group that is gone is forgotten: its number may be another's by now.
  while (groups.has(leader) && kill(leader) && clock.monotonic() < until) await clock.sleep(lookEveryMs);
  groups.delete(leader);
}

/** The same for every group there is: afterwards nothing that a check has started is left. */
export async function endAllGroups(clock: Clock): Promise<void> {
  await Promise.all([...groups].map((leader) => endGroup(leader, clock)));
}

/** For a process that ends this instant, and cannot wait. */
export function killAllGroups(): void {
  for (const leader of groups) kill(leader);
}

/** Returns false when no member is left that could be killed. */
function kill(leader: number): boolean {
  try {
    process.kill(-leader, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
