import type { ZkPath, ZkSession } from '@smartstack/registry';
import type { Random } from './random.ts';

/** What a znode of an instance holds, as nerve writes it. */
export interface Registered {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly weight: number;
  readonly haproxy_server_options?: string;
}

/** The path under which the instances of a service stand. */
export function pathOf(service: string): ZkPath {
  return `/s/${service}`;
}

const options: readonly { readonly text: string | undefined }[] = [
  { text: undefined },
  { text: 'maxconn 400' },
  { text: 'maxconn 500' },
];

/** The registrations of one service, changed at random as registrars do: what goes is withdrawn before it ends. */
export class Registrations {
  readonly #session: ZkSession;
  readonly #random: Random;
  readonly #port: number;
  readonly #free: string[];
  readonly #live = new Map<ZkPath, Registered>();
  /** How many of each kind of change were made. */
  readonly counts: Record<string, number> = {};
  readonly service: string;

  constructor(
    session: ZkSession,
    service: string,
    at: { readonly addresses: readonly string[]; readonly port: number; readonly random: Random },
  ) {
    this.#session = session;
    this.service = service;
    this.#random = at.random;
    this.#port = at.port;
    this.#free = [...at.addresses];
  }

  get size(): number {
    return this.#live.size;
  }

  /** Registers so many instances at once. */
  async fill(count: number): Promise<void> {
    const hosts = Array.from({ length: Math.min(count, this.#free.length) }, () => this.#takeAddress());
    await Promise.all(hosts.map((host) => this.#create(this.#fresh(host))));
  }

  /** Withdraws all at once. */
  async empty(): Promise<void> {
    const all = [...this.#live];
    await Promise.all(all.map(([path, instance]) => this.#delete(path, instance)));
  }

  /** One change of a random kind; between two and twenty instances stay, but for a service that is emptied. */
  async change(): Promise<void> {
    const chance = this.#random.below(1_000);
    const kind =
      this.size === 0
        ? 'filled'
        : chance < 8
          ? 'emptied'
          : this.size < 4 || (chance < 250 && this.#free.length > 2 && this.size < 20)
            ? 'added'
            : chance < 450 && this.size > 4
              ? 'removed'
              : chance < 700
                ? 'weight'
                : chance < 850
                  ? 'options'
                  : 're-addressed';
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    if (kind === 'filled') return this.fill(4 + this.#random.below(8));
    if (kind === 'emptied') return this.empty();
    if (kind === 'added') return this.fill(1);
    const [path, instance] = this.#random.pick([...this.#live]);
    if (kind === 'removed') return this.#delete(path, instance);
    if (kind === 'weight') return this.#write(path, { ...instance, weight: 1 + this.#random.below(50) });
    if (kind === 'options') return this.#write(path, this.#withOptions(instance));
    const host = this.#takeAddress();
    this.#free.push(instance.host);
    return this.#write(path, { ...instance, host });
  }

  /** With other options than before. */
  #withOptions({ haproxy_server_options: before, ...rest }: Registered): Registered {
    const others = options.filter((each) => each.text !== before);
    const { text: next } = this.#random.pick(others);
    return next === undefined ? rest : { ...rest, haproxy_server_options: next };
  }

  #takeAddress(): string {
    const [host] = this.#free.splice(this.#random.below(this.#free.length), 1);
    if (host === undefined) throw new Error(`${this.service} has no address left`);
    return host;
  }

  #fresh(host: string): Registered {
    const name = `i${host.split('.').slice(2).join('-')}`;
    return { host, port: this.#port, name, weight: 1 + this.#random.below(50) };
  }

  async #create(instance: Registered): Promise<void> {
    const data = Buffer.from(JSON.stringify(instance));
    const path = await this.#session.create(
      `${pathOf(this.service)}/${instance.name}_`,
      data,
      'ephemeral_sequential',
    );
    this.#live.set(path, instance);
  }

  async #delete(path: ZkPath, instance: Registered): Promise<void> {
    this.#live.delete(path);
    await this.#session.delete(path, -1);
    this.#free.push(instance.host);
  }

  async #write(path: ZkPath, instance: Registered): Promise<void> {
    this.#live.set(path, instance);
    await this.#session.setData(path, Buffer.from(JSON.stringify(instance)), -1);
  }
}

/** What ZooKeeper itself holds of a service. */
export async function readRegistry(session: ZkSession, service: string): Promise<readonly Registered[]> {
  const { children } = await session.getChildren(pathOf(service));
  const nodes = await Promise.all(children.map((name) => session.getData(`${pathOf(service)}/${name}`)));
  return nodes.map(({ data }) => JSON.parse(data.toString()) as Registered);
}
