import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';

/** All addresses of a name, IPv4 and IPv6. Rejects when there are none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/**
 * The same, but never asks for a name that it is asking for: who comes meanwhile gets that answer. A look-up that hangs
 * cannot be called off, and whoever has given up on it asks again and again.
 */
export function joined(resolve: Resolve): Resolve {
  const asked = new Map<string, Promise<readonly string[]>>();
  return (host) => {
    const known = asked.get(host);
    if (known !== undefined) return known;
    const answer = resolve(host).finally(() => asked.delete(host));
    asked.set(host, answer);
    return answer;
  };
}

/** The system's resolver, /etc/hosts included. */
export const systemResolve: Resolve = joined(async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address),
);

/** What sockets take as their `lookup`. */
export function lookupWith(resolve: Resolve): LookupFunction {
  return (host, options, callback) => {
    resolve(host).then(
      (addresses) => {
        const all = addresses.map((address) => ({ address, family: isIP(address) }));
        const wanted = all.filter(({ family }) => !options.family || family === options.family);
        const [first] = wanted;
        if (first === undefined) callback(new Error(`${host} has no such address`), '');
        else if (options.all) callback(null, wanted);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(error as NodeJS.ErrnoException, ''),
    );
  };
}
