import { carriesOthers, type Owner } from './owner.js';

/** A kind of server that has a check of its own. */
export type Kind = 'redis' | 'postgres' | 'mysql' | 'rabbitmq';

interface Server {
  readonly kind: Kind;
  readonly port: number;
  /** Of processes, users and units. */
  readonly names: RegExp;
}

const servers: readonly Server[] = [
  { kind: 'redis', port: 6379, names: /^(redis|redis-server|valkey|valkey-server|keydb|keydb-server)$/ },
  { kind: 'postgres', port: 5432, names: /^(postgres|postgresql|postmaster)$/ },
  { kind: 'mysql', port: 3306, names: /^(mysql|mysqld|mysqld_safe|mariadb|mariadbd)$/ },
  { kind: 'rabbitmq', port: 5672, names: /^(rabbitmq|rabbitmq-server)$/ },
];

/** What a check was chosen by. */
export interface Guess {
  readonly kind: Kind;
  /** For people. */
  readonly because: string;
}

/** What is known of whoever listens. */
export interface Identity {
  /** Its process, program, unit and user, in lower case. */
  readonly names: readonly string[];
  /** Whether these tell what it is, or only who may know. */
  readonly certain: boolean;
}

/** What the names of an owner tell. `program`: what its service would be called. */
export function identify(
  owner: Owner | undefined,
  user: string | undefined,
  program: string | undefined,
): Identity {
  const unit = owner?.unit?.replace(/\.service$/, '').replace(/@.*$/s, '');
  const passesOn = owner === undefined || carriesOthers(owner.name);
  // Root runs anything.
  const names = [passesOn ? undefined : owner.name, unit, program, user === 'root' ? undefined : user];
  return {
    names: names.flatMap((name) => (name === undefined ? [] : [name.toLowerCase()])),
    certain: !passesOn,
  };
}

/** Which of these servers it probably is. `ports`: all ports of the same owner. */
export function guessKind(
  port: number,
  { names, certain }: Identity,
  ports: readonly number[],
): Guess | undefined {
  const known = servers.find((server) => names.some((name) => server.names.test(name)));
  if (known !== undefined) {
    // Its other ports are for administrators, or for the other members of a cluster.
    const main = ports.includes(known.port) ? known.port : Math.min(...ports);
    if (port !== main) return undefined;
    const where =
      port === known.port ? `and port ${port} is its usual one` : `though port ${port} is not its usual one`;
    return { kind: known.kind, because: `its name says ${known.kind}, ${where}` };
  }
  const usual = servers.find((server) => server.port === port);
  // Whoever has another name is something else.
  if (usual === undefined || certain) return undefined;
  return {
    kind: usual.kind,
    because: `port ${port} is usually ${usual.kind}; nothing else tells what it is`,
  };
}

/** The registry that this machine itself is a server of. */
export type Registry = 'zookeeper' | 'etcd';

interface Unwanted {
  readonly ports: readonly number[];
  readonly names: RegExp;
  readonly why: string;
  readonly registry?: Registry;
}

const unwanted: readonly Unwanted[] = [
  {
    ports: [22],
    names: /^(sshd|ssh|dropbear|tinysshd|telnetd|in\.telnetd|inetd|xinetd|xrdp|mosh-server)$/,
    why: 'a way in for administrators: nobody looks it up',
  },
  { ports: [3454], names: /^nerve$/, why: 'nerve itself' },
  { ports: [3455], names: /^synapse(-haproxy)?$/, why: 'synapse, by which this machine calls others' },
  {
    ports: [2181, 2888, 3888],
    names: /^(zookeeper|zookeeper-server|zkserver|quorumpeermain|zookeeperservermain)$/,
    why: 'ZooKeeper: where services are registered',
    registry: 'zookeeper',
  },
  {
    ports: [2379, 2380],
    names: /^etcd$/,
    why: 'etcd: services can be registered there (reporter_type: etcd)',
    registry: 'etcd',
  },
  { ports: [4369], names: /^epmd$/, why: "Erlang's port mapper: for the members of its cluster" },
  {
    ports: [53, 111, 5355],
    names: /^(systemd-resolve|systemd-resolved|rpcbind|rpc\.\w+|avahi-daemon|cupsd|chronyd|ntpd)$/,
    why: 'a part of the operating system',
  },
];

/** Why it is nothing to register, whatever it listens on; and which registry it is, if it is one. */
export function whyUnwanted(
  port: number,
  { names, certain }: Identity,
): { readonly why: string; readonly registry?: Registry } | undefined {
  return (
    unwanted.find((one) => names.some((name) => one.names.test(name))) ??
    (certain ? undefined : unwanted.find((one) => one.ports.includes(port)))
  );
}
