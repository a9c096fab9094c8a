import { type Guess, guessKind, type Identity, identify, type Registry, whyUnwanted } from './kinds.js';
import { type Listener, reachOf } from './listeners.js';
import { nameFor, type NameSource, type Owner, serviceName } from './owner.js';

/** What is known of this machine. */
export interface Host {
  readonly name: string;
  /** The address under which others reach it, and the interface that has it; undefined without any. */
  readonly address: { readonly address: string; readonly interface: string } | undefined;
  /** Ports that the kernel gives to whoever does not ask for one, first and last. */
  readonly ephemeral: readonly [number, number];
  readonly listeners: readonly Listener[];
  /** By inode; what is not there could not be seen. */
  readonly owners: ReadonlyMap<string, Owner>;
  /** Names of users by uid. */
  readonly users: ReadonlyMap<number, string>;
}

/** What one owner has listening on one port. */
export interface Found {
  readonly port: number;
  readonly addresses: readonly string[];
  readonly owner: Owner | undefined;
  /** Its name, or its number. */
  readonly user: string;
}

/** One to register. */
export interface Proposal extends Found {
  readonly service: string;
  /** Where the name comes from. */
  readonly from: string;
  /** What to publish; undefined: this machine has no address of its own. */
  readonly host: string | undefined;
  readonly guess: Guess | undefined;
}

/** What to write. */
export interface Plan {
  readonly proposals: readonly Proposal[];
  readonly skipped: readonly (Found & { readonly why: string })[];
  /** Where a ZooKeeper of this machine is, if there is one. */
  readonly zooKeeper: string | undefined;
}

/** An open question about one of those found, with all that its name tells. */
interface Judged extends Found {
  readonly named: NameSource | undefined;
  readonly identity: Identity;
}

/** Decides what of this machine to register, under which names, and what to leave out. */
export function planFor(host: Host): Plan {
  const judged = found(host).map((one): Judged => {
    const named = one.owner && nameFor(one.owner);
    return { ...one, named, identity: identify(one.owner, one.user, named?.name.toLowerCase()) };
  });
  const skipped: (Found & { why: string })[] = [];
  const wanted = judged.filter((one) => {
    const why = whyNot(one, host);
    if (why !== undefined) skipped.push({ ...one, why });
    return why === undefined;
  });
  const registryOf = ({ port, identity }: Judged): Registry | undefined =>
    whyUnwanted(port, identity)?.registry;
  const zooKeeper = judged.find((one) => one.port === 2181 && registryOf(one) === 'zookeeper');
  const at = zooKeeper && (publishedHost(zooKeeper, host) ?? zooKeeper.addresses[0]);
  return {
    proposals: withNames(wanted, judged, host),
    skipped,
    zooKeeper: at === undefined ? undefined : at.includes(':') ? `[${at}]:2181` : `${at}:2181`,
  };
}

/** One for each port of each owner, by port. */
function found({ listeners, owners, users }: Host): readonly Found[] {
  const groups = new Map<string, Found>();
  for (const { address, port, inode, uid } of listeners) {
    const owner = owners.get(inode);
    const key = `${port} ${owner === undefined ? `uid ${uid}` : ownerKey(owner)}`;
    const before = groups.get(key);
    const addresses = [...new Set([...(before?.addresses ?? []), address])];
    groups.set(key, { port, owner, user: users.get(uid) ?? String(uid), ...before, addresses });
  }
  return [...groups.values()].sort((a, b) => a.port - b.port);
}

/** The same for all processes of a unit. */
function ownerKey(owner: Owner): string {
  return owner.unit ?? `process ${owner.pid}`;
}

function whyNot(one: Judged, { ephemeral: [first, last], address }: Host): string | undefined {
  const { port, addresses, identity } = one;
  const unwanted = whyUnwanted(port, identity);
  if (unwanted !== undefined) return unwanted.why;
  const reaches = addresses.map(reachOf);
  if (reaches.every((reach) => reach === 'loopback')) {
    if (identity.names.includes('haproxy')) return 'HAProxy on loopback: by it this machine calls others';
    const instead = address === undefined ? '' : `, such as ${address.address}`;
    return `on loopback only: no other machine reaches it; have it listen on an address that others reach${instead}`;
  }
  if (reaches.every((reach) => reach === 'loopback' || reach === 'link'))
    return 'on a link-local address only, which means nothing to machines beyond that link';
  if (port >= first && port <= last)
    return `a port that the kernel gives out (${first} to ${last}): probably another one at the next start`;
  return undefined;
}

function publishedHost({ addresses }: Found, { address }: Host): string | undefined {
  if (addresses.some((one) => reachOf(one) === 'anywhere')) return address?.address;
  const own = addresses.filter((one) => reachOf(one) === 'address');
  return own.find((one) => one === address?.address) ?? own.find((one) => !one.includes(':')) ?? own[0];
}

/** Names are unique: several ports of one owner have theirs behind it, but for that of a server that is known. */
function withNames(wanted: readonly Judged[], all: readonly Judged[], host: Host): readonly Proposal[] {
  const portsOf = new Map(
    [...groupBy(all, whose)].map(([key, group]) => [key, group.map(({ port }) => port)]),
  );
  const bare = wanted.map((one) => {
    const ports = portsOf.get(whose(one)) ?? [];
    const guess = guessKind(one.port, one.identity, ports);
    return { ...one, guess, named: namedOr(one, guess) };
  });
  const same = groupBy(bare, ({ named }) => named.name);
  // Who has a name without a port behind it.
  const holders = new Map(
    [...same].flatMap(([name, group]) => {
      const holder = group.length === 1 ? group[0] : group.find(({ guess }) => guess !== undefined);
      return holder === undefined ? [] : [[name, holder] as const];
    }),
  );
  const taken = new Set(holders.keys());
  return bare.map((one) => {
    const { port, addresses, owner, user, guess, named } = one;
    const service = holders.get(named.name) === one ? named.name : free(`${named.name}-${port}`, taken);
    taken.add(service);
    return { port, addresses, owner, user, guess, service, from: named.from, host: publishedHost(one, host) };
  });
}

/** What has the same owner, as far as that is known. */
function whose({ owner, user }: Found): string {
  return owner === undefined ? `user ${user}` : ownerKey(owner);
}

function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

function free(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let count = 2; taken.has(free); count += 1) free = `${name}-${count}`;
  return free;
}

function namedOr({ named, user, owner, port }: Judged, guess: Guess | undefined): NameSource {
  const name = named && serviceName(named.name);
  if (named !== undefined && name !== undefined) return { name, from: named.from };
  if (guess !== undefined) return { name: guess.kind, from: 'what it probably is' };
  const ofUser =
    owner === undefined && /^[a-z_]/i.test(user) && user !== 'root' ? serviceName(user) : undefined;
  if (ofUser !== undefined) return { name: ofUser, from: 'its user' };
  return { name: `port-${port}`, from: 'its port: nothing tells what it is' };
}
