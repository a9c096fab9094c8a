import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { freePort } from './ports.ts';

/** One registered instance. */
export interface ConsulInstance {
  readonly ID: string;
  readonly Address: string;
  readonly Port: number;
  readonly Tags?: readonly string[];
  readonly Meta?: Readonly<Record<string, string>>;
  readonly passing?: boolean;
}

/**
 * A stand-in for an agent of Consul, which Debian does not have: `/v1/health/service` as its HTTP API is documented
 * (https://developer.hashicorp.com/consul/api-docs/health, and features/blocking), with blocking queries, tags, tokens and
 * the errors of a cluster without a leader.
 */
export class ConsulStub {
  address = '';
  /** Questions in the order in which they came. */
  readonly asked: URL[] = [];
  /** Answers are held back now. */
  get waiting(): number {
    return this.#waiting.size;
  }
  /** The only token that may see something; others get an empty list, as from Consul. */
  token: string | undefined;
  leader = true;
  /** Answers every question with these bytes instead. */
  garbage: string | undefined;
  #index = 10;
  #services: Readonly<Record<string, readonly ConsulInstance[]>> = {};
  readonly #waiting = new Set<() => void>();
  readonly #server = createServer((request, response) => this.#take(request, response));
  #port = 0;

  /** Listens, the second time where it did before. */
  async start(): Promise<void> {
    this.#port ||= await freePort();
    this.address = `127.0.0.1:${this.#port}`;
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
  }

  /** Hangs up on everyone, as when it is killed. */
  async stop(): Promise<void> {
    this.#waiting.clear();
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Changes what is registered, by the name of the service. */
  set(services: Readonly<Record<string, readonly ConsulInstance[]>>, index = this.#index + 1): void {
    this.#services = services;
    this.#index = index;
    for (const answer of [...this.#waiting]) answer();
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://consul');
    this.asked.push(url);
    const answer = (): void => {
      clearTimeout(timer);
      this.#waiting.delete(answer);
      if (!response.destroyed) this.#answer(url, request.headers['x-consul-token'], response);
    };
    const waitMs = Number(/^(\d+)ms$/.exec(url.searchParams.get('wait') ?? '')?.[1] ?? 300_000);
    const timer = setTimeout(answer, waitMs);
    response.on('close', () => {
      clearTimeout(timer);
      this.#waiting.delete(answer);
    });
    if (Number(url.searchParams.get('index') ?? 0) < this.#index || !this.leader) answer();
    else this.#waiting.add(answer);
  }

  #answer(url: URL, token: unknown, response: ServerResponse): void {
    response.setHeader('x-consul-index', this.#index);
    if (this.garbage !== undefined) {
      response.end(this.garbage);
      return;
    }
    if (!this.leader) {
      response.writeHead(500).end('No cluster leader');
      return;
    }
    const hidden = this.token !== undefined && token !== this.token;
    if (hidden) response.setHeader('x-consul-results-filtered-by-acls', 'true');
    const name = decodeURIComponent(url.pathname.split('/').at(-1) ?? '');
    const tags = url.searchParams.getAll('tag');
    const all = hidden ? [] : (this.#services[name] ?? []);
    const found = all.filter(
      ({ passing = true, Tags = [] }) =>
        (passing || !url.searchParams.has('passing')) && tags.every((tag) => Tags.includes(tag)),
    );
    const body = found.map(({ passing = true, ...service }) => ({
      Node: { ID: 'e1', Node: 'node-1', Address: '10.9.9.9', Datacenter: 'dc1', Meta: {} },
      Service: { Service: name, Weights: { Passing: 1, Warning: 1 }, Tags: [], Meta: {}, ...service },
      Checks: [{ Status: passing ? 'passing' : 'critical' }],
    }));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  }
}
