import { Worker } from 'node:worker_threads';
import type { Clock } from '../clock.js';
import { describeError } from '../errors.js';

/** The most memory that a module may take while it is loaded, in MB. */
const maxMemory = 128;

/** Runs in a thread of its own, which can be ended whatever the module does. */
const loader = `
const { parentPort, workerData } = require('node:worker_threads');
import(workerData).then(
  () => parentPort.postMessage({}),
  (error) => parentPort.postMessage({ problem: String(error?.message ?? error) }),
);
`;

/** Why a module cannot be loaded. */
export interface TrialFailure {
  readonly problem: string;
  /** It took all the time that there is. */
  readonly hung?: true;
}

/**
 * Loads a module elsewhere first: one that never ends, that ends its process or takes all memory does
 * so there. Returns undefined when it can be loaded.
 */
export function tryModule(url: string, limitMs: number, clock: Clock): Promise<TrialFailure | undefined> {
  return new Promise((resolve) => {
    const worker = new Worker(loader, {
      eval: true,
      workerData: url,
      execArgv: [],
      // What it prints is printed when it is loaded in earnest.
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: maxMemory },
    });
    const settle = (result: TrialFailure | undefined): void => {
      timer.cancel();
      worker.terminate().catch(() => undefined);
      resolve(result);
    };
    const timer = clock.setTimeout(
      () => settle({ problem: `it is not loaded within ${limitMs / 1000} s`, hung: true }),
      limitMs,
    );
    worker.once('message', (said: { readonly problem?: string }) =>
      settle(said.problem === undefined ? undefined : { problem: said.problem }),
    );
    worker.once('error', (error) => settle({ problem: describeError(error) }));
    worker.once('exit', () => settle({ problem: 'it ends its process while it is loaded' }));
  });
}
