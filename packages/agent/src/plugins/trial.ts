import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../clock.js';
import { describeError } from '../errors.js';

/** The most memory that a module may take while it is loaded, in MB. */
const maxMemory = 128;

/**
 * Runs in a thread of its own, which can be ended whatever the module does. What its default export makes is asked for
 * as in earnest, with the same tools; whether it is of any use is found out there.
 */
const loader = `
const { parentPort, workerData: { url, kit } } = require('node:worker_threads');
const say = (said) => parentPort.postMessage(said);
const tools = () => {
  const found = require(kit);
  // Beside the agent's one file, they are together. Otherwise, any schema does.
  if (found.values !== undefined) return found;
  const any = found.z.any();
  const values = new Proxy({}, { get: () => new Proxy(() => any, { get: (_, key) => any[key] }) });
  return { z: found.z, values };
};
const make = async (made) => {
  if (typeof made !== 'function') return;
  const same = (defined) => defined;
  await made({ ...tools(), defineCheck: same, defineReporter: same });
};
import(url).then(
  async (exported) => {
    say({ at: 'loaded' });
    // What waits for nothing at all blocks nobody.
    process.once('beforeExit', () => say({ at: 'made' }));
    await make(exported.default).catch(() => undefined);
    say({ at: 'made' });
  },
  (error) => say({ problem: String(error?.message ?? error) }),
);
`;

/** What the thread says of its progress. */
type Said = { readonly at: 'loaded' | 'made' } | { readonly problem: string };

/** Why a module cannot be loaded. */
export interface TrialFailure {
  readonly problem: string;
  /** It took all the time that there is. */
  readonly hung?: true;
}

/**
 * Loads a module elsewhere first, and has its default export make what it makes: one that never ends, that ends its
 * process or takes all memory does so there. Returns undefined when it can be loaded.
 */
export function tryModule(url: string, limitMs: number, clock: Clock): Promise<TrialFailure | undefined> {
  return new Promise((resolve) => {
    const worker = new Worker(loader, {
      eval: true,
      workerData: { url, kit: kitFile() },
      execArgv: [],
      // What it prints is printed when it is loaded in earnest.
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: maxMemory },
    });
    let isLoaded = false;
    const settle = (result: TrialFailure | undefined): void => {
      timer.cancel();
      worker.terminate().catch(() => undefined);
      resolve(result);
    };
    const timer = clock.setTimeout(() => {
      const what = isLoaded ? 'what it exports makes nothing' : 'it is not loaded';
      settle({ problem: `${what} within ${limitMs / 1000} s`, hung: true });
    }, limitMs);
    worker.on('message', (said: Said) => {
      if ('problem' in said) settle({ problem: said.problem });
      else if (said.at === 'made') settle(undefined);
      else isLoaded = true;
    });
    worker.once('error', (error) => settle({ problem: describeError(error) }));
    worker.once('exit', () => settle({ problem: 'it ends its process while it is loaded' }));
  });
}

/** Where a thread finds what `definedBy` hands to modules: beside the agent's one file, or the library itself. */
function kitFile(): string {
  const bundled = fileURLToPath(new URL('./client-zod.cjs', import.meta.url));
  return existsSync(bundled) ? bundled : createRequire(import.meta.url).resolve('zod');
}
