import { open, stat } from 'node:fs/promises';

import { fingerprint, watchFiles } from '@smartstack/agent';

import type { WatcherContext } from '../types.js';

/** What whoever follows a text is told. */
export interface TextListener {
  readonly take: (text: string) => void;
  readonly lost: (error: unknown) => void;
}

/** No file of weights is larger, in bytes. */
export const maxWeightsBytes = 65_536;

async function readText(file: string): Promise<string> {
  // A pipe without a writer would be waited for when it is opened.
  if (!(await stat(file)).isFile()) throw new Error('not a regular file');
  const handle = await open(file);
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(maxWeightsBytes + 1));
    if (bytesRead > maxWeightsBytes) throw new Error(`larger than ${maxWeightsBytes} bytes`);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Reads a file now and whenever it changes. */
export async function followWeightsFile(
  file: string,
  { clock, logger }: Pick<WatcherContext, 'clock' | 'logger'>,
  { take, lost }: TextListener,
  signal: AbortSignal,
): Promise<void> {
  const read = async (): Promise<void> => {
    try {
      take(await readText(file));
    } catch (error) {
      lost(error);
    }
  };
  const seen = await fingerprint([file]);
  await read();
  const watch = await watchFiles({ paths: [file], seen, onChange: read, clock, logger });
  await watch(signal);
}
