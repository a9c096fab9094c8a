import { parseAddress } from '@smartstack/agent';
import { isIP } from 'node:net';

/** Where a host serves its numbers: an address, never a name. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** As it stands in znodes and in proofs. */
export function targetText({ host, port }: Target): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What a text means: no name, which could stand for anything, and no port that nobody can listen on. */
export function parseTarget(text: string): Target | undefined {
  const parsed = parseAddress(text);
  if (!parsed.ok || 'socket' in parsed.address) return undefined;
  const { host, port } = parsed.address;
  return isIP(host) === 0 || port === 0 ? undefined : { host, port };
}

/** Whether it stands for all addresses of a host, or for all that listen to a network. */
export function isAny(host: string): boolean {
  return /^(0+\.0+\.0+\.0+|[0:]+)$/.test(host);
}
