import { join, resolve } from 'node:path';

import { describeError, untilAborted, within } from '@smartstack/agent';
import { type Instance, registrationFilePrefix } from '@smartstack/registry';
import * as z from 'zod';

import type { Snapshot, SourceProblem } from '../catalog/types.js';
import { discoveryBase } from '../config/fields.js';
import { followDisk } from './files/followDisk.js';
import type { FolderReading } from './files/folderPool.js';
import { parseInstances } from './files/instancesFile.js';
import { readRegularFile } from './files/regularFile.js';
import { type SourceReading, SourceState } from './source/sourceState.js';
import { defineWatcher, type WatcherContext } from './types.js';

/** Ten thousand instances with some labels. */
const maxFileBytes = 4 * 1024 * 1024;
/** A file system that has not answered for so long hangs, in milliseconds. */
const hungMs = 5_000;
/** Without an event, what failed is tried again after so long, in milliseconds. */
const retryMs = 5_000;
/** The file says when it changes; network file systems do not. */
const relookMs = 60_000;

const absolutePath = () => z.string().startsWith('/', 'expected an absolute path');

const options = () =>
  z
    .object({
      method: z.literal('file'),
      file_path: absolutePath()
        .optional()
        .describe('A JSON or YAML file with a list of instances. This or file_directory.'),
      file_directory: absolutePath()
        .optional()
        .describe('The folder in which nerve registers services (`reporter_type: file`).'),
      file_service: z
        .string()
        .min(1)
        .optional()
        .describe("With file_directory: what nerve calls the service; default: the service's own name."),
      ...discoveryBase,
    })
    .superRefine(({ file_path, file_directory, file_service }, context) => {
      const add = (key: string, message: string) =>
        context.addIssue({ code: 'custom', path: [key], message, input: undefined });
      if (file_path === undefined && file_directory === undefined)
        add('file_path', 'Required, or file_directory');
      if (file_path !== undefined && file_directory !== undefined)
        add('file_directory', 'Not together with file_path: choose one');
      if (file_service !== undefined && file_directory === undefined)
        add('file_service', 'Goes with file_directory only');
    });

/** Instances from a folder in which nerve registers, or from a file that somebody writes. */
export const fileWatcher = defineWatcher({
  method: 'file',
  options,
  create: ({ file_path: path, file_directory: directory, file_service: service }, context) => ({
    run: (emit, signal) =>
      directory === undefined
        ? followFile(resolve(path ?? '/'), context, emit, signal)
        : followFolder(resolve(directory), service ?? context.service, context, emit, signal),
  }),
});

async function followFile(
  path: string,
  context: WatcherContext,
  emit: (snapshot: Snapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  const { clock, logger } = context;
  const state = new SourceState(context, path, emit);
  const read = async (): Promise<SourceReading | string> => {
    try {
      const { data } = await readRegularFile(path, maxFileBytes);
      return parseInstances(path, data);
    } catch (error) {
      return describeError(error);
    }
  };
  let reading: Promise<SourceReading | string> | undefined;
  const look = async (inner: AbortSignal): Promise<number> => {
    // While it hangs, the next look waits for the same answer.
    reading ??= read().finally(() => (reading = undefined));
    const found = await within(reading, hungMs, clock, inner);
    if (inner.aborted) return retryMs;
    if (typeof found === 'object') state.live(found);
    else state.lost(found ?? `No answer from the disk within ${hungMs} ms`);
    return typeof found === 'object' ? relookMs : retryMs;
  };
  await followDisk({ path, look, clock, logger }, signal);
}

async function followFolder(
  directory: string,
  service: string,
  context: WatcherContext,
  emit: (snapshot: Snapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  const state = new SourceState(context, directory, emit);
  const prefix = registrationFilePrefix(service);
  const stop = context.folders.follow(directory, (reading) => {
    if (reading.kind === 'lost') state.lost(reading.reason);
    else state.live(readingOf(reading, directory, service, prefix));
  });
  await untilAborted(signal);
  await stop();
}

function readingOf(
  { files, at }: Extract<FolderReading, { kind: 'read' }>,
  directory: string,
  service: string,
  prefix: string,
): SourceReading {
  const instances: Instance[] = [];
  const problems: SourceProblem[] = [];
  for (const [name, { content, freshUntil, problem }] of files) {
    if (!name.startsWith(prefix)) continue;
    const path = join(directory, name);
    if (problem !== undefined) problems.push({ path, reason: problem });
    if (content === undefined || freshUntil <= at) continue;
    if (content.service === service) instances.push(content.instance);
    else problems.push({ path, reason: `It says that it is of ${JSON.stringify(content.service)}` });
  }
  return { instances, problems };
}
