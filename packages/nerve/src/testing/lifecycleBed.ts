import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { Control } from '../control.js';
import { Services } from '../services.js';
import { fakeDeps } from './deps.js';
import { definitionsOf } from './definitions.js';
import { fakeReporting } from './fakeReporting.js';

type Keys = Readonly<Record<string, unknown>>;

/** Everything that is due has its turn. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One service `web` on a clock of the test's, with a check that fails while the file `down` is there. */
export async function lifecycleBed(keys: Keys = {}, options: Parameters<typeof fakeDeps>[0] = {}) {
  const all = fakeDeps(options);
  const { clock, deps, orders, logger } = all;
  const dir = await mkdtemp(join(tmpdir(), 'nerve-lifecycle-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const { reporting, log, made } = fakeReporting(deps, (service) => service);
  const services = new Services(reporting, deps);
  const control = new Control(services, orders, clock);
  onTestFinished(() => services.withdrawAll(1));
  const file = (name: string): string => join(dir, name);
  const apply = async (next: Keys): Promise<void> => {
    services.apply(definitionsOf({ web: next }));
    await clock.advance(0);
  };
  const messages = (): string[] => logger.records.map(({ message }) => message);
  const status = () => services.status[0];
  /** Real processes under a fake clock: passes time in small steps until `done`. */
  const until = async (done: () => boolean, stepMs = 0): Promise<void> => {
    const end = performance.now() + 20_000;
    while (!done() && performance.now() < end) {
      await clock.advance(stepMs);
      await turn();
    }
    expect(done()).toBe(true);
  };
  /** Sets what the check finds, and waits until it counts. */
  const check = async (up: boolean): Promise<void> => {
    if (up) await rm(file('down'), { force: true });
    else await writeFile(file('down'), '');
    const before = status()?.checks[0]?.last;
    for (;;) {
      await clock.advance(100);
      for (let i = 0; i < 100; i += 1) await turn();
      const last = status()?.checks[0]?.last;
      if (last !== before && last?.ok === up) return;
    }
  };
  const checks = [{ type: 'exec', command: `test ! -e ${file('down')}`, timeout: 1000 }];
  await apply(keys.checks === undefined && keys.real ? { ...without(keys), checks } : without(keys));
  return { ...all, services, control, log, made, apply, status, file, until, check, messages };
}

function without(keys: Keys): Keys {
  return Object.fromEntries(Object.entries(keys).filter(([key]) => key !== 'real'));
}
