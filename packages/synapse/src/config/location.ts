import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { describeError } from '@smartstack/agent';
import * as z from 'zod';

import { levelName, type Location } from '../catalog/locality.js';

/** Longest value, in bytes: a label, not a document. */
const maxBytes = 256;

const expected = 'expected text, {file: /path} or {env: NAME}';
const value = () =>
  z.union(
    [
      z.string(expected),
      z.number(expected),
      z.boolean(expected),
      z.strictObject({ file: z.string().startsWith('/', 'expected an absolute path') }, expected),
      z.strictObject({ env: z.string().min(1) }, expected),
    ],
    expected,
  );

/** The `location` key of agent.yaml: labels of this host, or where they are to be found. */
export const locationSchema = () =>
  z
    .record(z.string().regex(levelName, "expected letters, digits, '_', '.' and '-'"), value())
    .nullish()
    .describe(
      'Where this host is, from which services prefer near instances (`locality`): labels as instances have them, such as `zone: a`. A value is text, `{file: /path}` (its only line, read at start) or `{env: NAME}`.',
    );

type Stated = z.output<ReturnType<typeof locationSchema>>;
type Value = NonNullable<Stated>[string];

/** A label of this host that cannot be told. */
interface LocationProblem {
  readonly level: string;
  readonly problem: string;
}

/** Reads no more than a label may have, and waits for nobody: what is named may be a pipe, or endless. */
async function textIn(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new Error('it is no plain file');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes + 2), 0, maxBytes + 2, 0);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await file.close();
  }
}

async function valueOf(
  stated: Value,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly value: string } | { readonly problem: string }> {
  let text: string | undefined;
  let source = 'it';
  if (typeof stated !== 'object') text = String(stated);
  else if ('env' in stated) {
    source = `the environment variable ${stated.env}`;
    text = env[stated.env];
    if (text === undefined) return { problem: `${source} is not set; write the value, or set it` };
  } else {
    source = stated.file;
    try {
      text = await textIn(source);
    } catch (error) {
      return { problem: `${source} cannot be read: ${describeError(error)}` };
    }
  }
  const label = text.trim();
  if (label === '') return { problem: `${source} is empty; write the value, or leave the label out` };
  if (Buffer.byteLength(label) > maxBytes || /[\r\n]/.test(label))
    return { problem: `${source} holds more than a label: one line of at most ${maxBytes} bytes` };
  return { value: label };
}

/** The labels of this host, read from files and variables where they are there; and what cannot be. Never fails. */
export async function readLocation(
  stated: Stated,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly location: Location; readonly problems: readonly LocationProblem[] }> {
  const location = new Map<string, string>();
  const problems: LocationProblem[] = [];
  for (const [level, value] of Object.entries(stated ?? {})) {
    const found = await valueOf(value, env);
    if ('value' in found) location.set(level, found.value);
    else problems.push({ level, problem: found.problem });
  }
  return { location, problems };
}
