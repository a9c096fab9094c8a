import { readFile } from 'node:fs/promises';
import { type AdminAddress, AgentError, type Clock, describeError, parseAddress } from '@smartstack/agent';
import { ApiClient } from '@smartstack/agent/apiClient';
import type { Connection } from './command.js';

/** Where the agent of the unit listens, in the order in which they are tried. */
const usual: readonly AdminAddress[] = [
  { socket: '/run/nerve/nerve.sock' },
  { host: '127.0.0.1', port: 3454 },
];

/** For one exchange with the agent, in milliseconds. */
const timeoutMs = 10_000;

/** What the command line says makes no sense. */
export class BadUsage extends AgentError {
  constructor(message: string) {
    super('usage', message);
  }
}

/** A client for the agent that the flags mean. Throws BadUsage. */
export async function connect({ address, tokenFile }: Connection, clock: Clock): Promise<ApiClient> {
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
