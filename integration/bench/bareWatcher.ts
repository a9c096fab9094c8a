import { connect } from 'node:net';
import { type Client, Event } from 'node-zookeeper-client';

/**
 * The floor of propagation: the least that any agent must do for one service. It watches the children
 * of a path, reads a new one, and sends the bare commands to HAProxy; it survives nothing.
 */
export class BareWatcher {
  readonly #client: Client;
  readonly #path: string;
  readonly #socket: string;
  readonly #backend: string;
  readonly #known = new Map<string, string>();
  #nextId = 1_000;

  constructor(options: { client: Client; path: string; socket: string; backend: string }) {
    this.#client = options.client;
    this.#path = options.path;
    this.#socket = options.socket;
    this.#backend = options.backend;
  }

  /** Starts watching, and says when it does; `present` are children that HAProxy has from its file. */
  start(present: readonly string[], onWatching: () => void): void {
    for (const child of present) this.#known.set(child, '');
    this.#list(onWatching);
  }

  #list(onListed?: () => void): void {
    this.#client.getChildren(
      this.#path,
      (event: Event) => {
        if (event.getType() === Event.NODE_CHILDREN_CHANGED) this.#list();
      },
      (error, children) => {
        if (error) return;
        this.#compare(new Set(children));
        onListed?.();
      },
    );
  }

  #compare(children: ReadonlySet<string>): void {
    for (const child of children) {
      if (this.#known.has(child)) continue;
      this.#client.getData(`${this.#path}/${child}`, (error, data) => {
        if (error) return;
        const { host, port, name } = JSON.parse(data.toString()) as {
          host: string;
          port: number;
          name: string;
        };
        const server = `${this.#backend}/${name}_${host}:${port}`;
        this.#known.set(child, server);
        this.#send([`add server ${server} ${host}:${port} id ${this.#nextId++}`, `enable server ${server}`]);
      });
    }
    for (const [child, server] of this.#known) {
      if (children.has(child) || server === '') continue;
      this.#known.delete(child);
      this.#send([`set server ${server} state maint`, `del server ${server}`]);
    }
  }

  #send(commands: readonly string[]): void {
    const socket = connect(this.#socket);
    socket.on('error', () => socket.destroy());
    socket.end(`prompt\n${commands.join('\n')}\nquit\n`);
    socket.resume();
  }
}
