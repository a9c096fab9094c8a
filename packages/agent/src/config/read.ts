import { type FileHandle, open, stat } from 'node:fs/promises';
import type { ExpandedText } from './erb.js';
import { parseConfigText, unreadableFile } from './parse.js';
import type { ParsedFile } from './types.js';

/** Largest configuration file, in bytes. Generated ones reach a few megabytes. */
const maxBytes = 16 * 1024 * 1024;

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'The file does not exist',
  ENOTDIR: 'The file does not exist: a part of its path is not a directory',
  EACCES: 'No permission to read the file',
  EPERM: 'No permission to read the file',
  EISDIR: 'This is a directory, not a file',
  ELOOP: 'Too many symbolic links',
  ENAMETOOLONG: 'The path is too long',
  EMFILE: 'Too many open files',
  ENFILE: 'Too many open files',
};

/** The text of a configuration file, or the reason why there is none. Never throws. */
export type FileText =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: string };

/** What happens to a file's text before it is parsed, such as `expandErbEnv`. Keeps lines at their numbers. */
export type TextExpansion = (file: string, text: string) => ExpandedText;

const asItIs: TextExpansion = (_, text) => ({ text, issues: [] });

/** Reads and parses a configuration file. Whatever is wrong with it is in `issues`; never throws. */
export async function readConfigFile(file: string, expand: TextExpansion = asItIs): Promise<ParsedFile> {
  const read = await readConfigText(file);
  if (!read.ok) return unreadableFile(file, read.problem);
  const { text, issues } = expand(file, read.text);
  const parsed = parseConfigText(file, text);
  if (issues.length === 0) return parsed;
  // What could not be expanded is missing from the text: its value means nothing.
  const value = issues.some(({ severity }) => severity === 'error') ? undefined : parsed.value;
  return { ...parsed, value, issues: [...issues, ...parsed.issues] };
}

/** How many of many files are open at once. */
const filesAtOnce = 16;

/**
 * Reads a directory's files as `readConfigFile` does, a few at a time: thousands of them take few
 * descriptors. One that is no regular file is not opened: a pipe without a writer would wait for ever.
 */
export async function readConfigFiles(
  files: readonly string[],
  expand: TextExpansion = asItIs,
): Promise<readonly ParsedFile[]> {
  const parsed: ParsedFile[] = [];
  const queue = files.entries();
  const work = async (): Promise<void> => {
    for (const [index, file] of queue) parsed[index] = await readRegular(file, expand);
  };
  await Promise.all(Array.from({ length: filesAtOnce }, work));
  return parsed;
}

async function readRegular(file: string, expand: TextExpansion): Promise<ParsedFile> {
  const found = await stat(file).catch(() => undefined);
  if (found && !found.isFile() && !found.isDirectory())
    return unreadableFile(file, 'This is a pipe, a socket or a device, not a file');
  return readConfigFile(file, expand);
}

/** Reads a configuration file without parsing it (synapse expands ERB first). */
export async function readConfigText(file: string): Promise<FileText> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    return decode(await readBounded(handle));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    return { ok: false, problem: reasons[code] ?? `The file cannot be read (${code || String(error)})` };
  } finally {
    await handle?.close().catch(() => undefined);
  }
}

/** At most one byte more than allowed; the size a file claims means nothing for pipes and devices. */
async function readBounded(handle: FileHandle): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  // Most files fit into a small buffer, and there may be thousands of them.
  let size = 4 * 1024;
  while (length <= maxBytes) {
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(size) });
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
    if (bytesRead === size) size = 64 * 1024;
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer): FileText {
  const problem = (text: string): FileText => ({ ok: false, problem: text });
  if (bytes.length > maxBytes) return problem(`The file is larger than ${maxBytes} bytes`);
  if (/^(?:\xff\xfe|\xfe\xff)/.test(bytes.toString('latin1', 0, 2)))
    return problem('The file is UTF-16: save it as UTF-8');
  if (bytes.includes(0)) return problem('The file is binary: it has a zero byte');
  try {
    // A UTF-8 byte order mark is dropped, as Ruby's parser drops it.
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return problem('The file is not UTF-8 text');
  }
}
