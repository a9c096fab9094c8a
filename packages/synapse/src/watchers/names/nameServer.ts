import { readFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';

import { candidates, hostSearchList, parseSearchList } from './searchList.js';

/** An address and the seconds for which it counts. */
export interface AddressRecord {
  readonly address: string;
  readonly ttl: number;
}

/** Where a service runs; node's resolver keeps the record's time to live to itself. */
export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** The system's name servers, or those of the configuration. An empty answer is one: the name has no such records. */
export interface NameServer {
  /** Rejects when no server gives an answer. */
  addresses(name: string, family: 4 | 6): Promise<readonly AddressRecord[]>;
  services(name: string): Promise<readonly ServiceRecord[]>;
  /** Whether this machine has an IPv6 address of the world: others' would be of no use to it. */
  readonly usesIPv6: boolean;
  /** What is under way rejects. */
  close(): void;
}

/** Asks the name servers that `nameservers` lists, each an address with or without a port; else those of the system. */
export type OpenNameServer = (nameservers: readonly string[] | undefined) => Promise<NameServer>;

/** For the first of two attempts, in milliseconds, before the next server is asked; the second may take twice as long. */
const timeoutMs = 1_500;

const noRecords: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA']);

/** Node's resolver, which goes on over TCP where an answer does not fit. As Ruby's, it does not read /etc/hosts. */
export const openNameServer: OpenNameServer = async (nameservers) => {
  // Agents that resolve nothing never load it.
  const { Resolver } = await import('node:dns/promises');
  // A new one reads resolv.conf anew.
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
  if (nameservers !== undefined) resolver.setServers(nameservers);
  const list =
    (nameservers === undefined ? await systemSearchList() : undefined) ?? hostSearchList(hostname());

  let closed = false;
  const ask = async <T>(
    name: string,
    query: (full: string) => Promise<readonly T[]>,
  ): Promise<readonly T[]> => {
    for (const full of candidates(name, list)) {
      if (closed) throw new Error('Called off');
      try {
        const records = await query(full);
        if (records.length > 0) return records;
      } catch (error) {
        if (!noRecords.has((error as NodeJS.ErrnoException).code)) throw error;
      }
    }
    return [];
  };
  return {
    addresses: (name, family) =>
      ask(name, (full) =>
        family === 4 ? resolver.resolve4(full, { ttl: true }) : resolver.resolve6(full, { ttl: true }),
      ),
    services: (name) => ask(name, (full) => resolver.resolveSrv(full)),
    usesIPv6: Object.values(networkInterfaces()).some((addresses) =>
      addresses?.some(
        ({ family, internal, address }) => family === 'IPv6' && !internal && !/^fe[89ab]/i.test(address),
      ),
    ),
    close: () => {
      closed = true;
      resolver.cancel();
    },
  };
};

async function systemSearchList() {
  try {
    return parseSearchList(await readFile('/etc/resolv.conf', 'utf8'));
  } catch {
    // Without the file there is still a name server on this machine, perhaps.
    return undefined;
  }
}
