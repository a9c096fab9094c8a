import { readFile } from 'node:fs/promises';
import type * as z from 'zod';
import { parseAddress } from '../admin/address.js';
import type { AdminAddress } from '../admin/types.js';
import { ApiClient, ApiError } from '../apiClient.js';
import type { Clock } from '../clock.js';
import { AgentError, describeError } from '../errors.js';

/** How a command reaches the running agent. */
export interface Connection {
  /** A socket's path or host:port; the usual places without one. */
  readonly address: string | undefined;
  readonly tokenFile: string | undefined;
}

/** For one exchange with the agent, in milliseconds. */
const timeoutMs = 10_000;

/** What the command line says makes no sense. */
export class BadUsage extends AgentError {
  constructor(message: string) {
    super('usage', message);
  }
}

/** A client for the agent that the flags mean, else for the one at `usual`, tried in this order. Throws BadUsage. */
export async function connect(
  { address, tokenFile }: Connection,
  usual: readonly AdminAddress[],
  clock: Clock,
): Promise<ApiClient> {
  const given = address === undefined ? undefined : parseAddress(address);
  if (given?.ok === false) throw new BadUsage(`--address: ${given.problem}, not ${address ?? ''}`);
  const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
  return new ApiClient({ addresses: given === undefined ? usual : [given.address], token, clock, timeoutMs });
}

async function readToken(file: string): Promise<string> {
  let token: string;
  try {
    token = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new BadUsage(`--token-file: ${describeError(error)}`);
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw new BadUsage(`--token-file: ${file} holds no token on one line`);
  return token;
}

/** Reads answers of `agent`'s API by their schema; what it returns throws ApiError for what is none. */
export function reader<T>(agent: string, schema: z.ZodType<T>): (value: unknown) => T {
  return (value) => {
    const { data, error } = schema.safeParse(value);
    if (error === undefined) return data;
    const [issue] = error.issues;
    const what = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
    throw new ApiError('not_an_agent', `it does not answer as ${agent} does (${what}): another version?`);
  };
}
