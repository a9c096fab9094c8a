import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { listenAnywhere } from './ports.ts';

/** `up` is what the client sends, `down` what the server answers. */
type Direction = 'up' | 'down';

/** A TCP proxy that breaks connections in the ways networks do. */
export interface FaultProxy {
  readonly port: number;
  readonly address: string;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Connections open now. */
  readonly open: number;
  /** Bytes forwarded so far. */
  readonly bytes: Readonly<Record<Direction, number>>;
  /** Resets every open connection. */
  cut(): void;
  /** Resets each connection, open or to come, after `bytes` more have passed in that direction. Once. */
  cutAfter(direction: Direction, bytes: number): void;
  /**
   * Swallows everything in the given directions (both unless told); connections stay open until `heal`,
   * which resets those that lost something: no TCP connection goes on with a hole in its stream.
   */
  blackhole(...directions: Direction[]): void;
  /** Keeps everything of the given directions (both unless told) back until `heal`. */
  hold(...directions: Direction[]): void;
  /** Delays each chunk by so many milliseconds in either direction. */
  delay(ms: number): void;
  /** Closes new connections as soon as they are accepted. */
  refuse(): void;
  /** Sends these bytes to every open connection's client, as if the server had. */
  inject(bytes: Buffer): void;
  /** Normal service again; what was held back is delivered first. */
  heal(): void;
  /** Forwards new connections elsewhere. */
  target(port: number): void;
  close(): Promise<void>;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes were swallowed, or one side went without the other's hearing of it. */
  broken: boolean;
  readonly held: { readonly to: Socket; readonly chunk: Buffer }[];
}

/** Starts a proxy on a port of its own in front of 127.0.0.1:`targetPort`. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  const links = new Set<Link>();
  const bytes = { up: 0, down: 0 };
  const swallow = new Set<Direction>();
  const keep = new Set<Direction>();
  let accepted = 0;
  let refusing = false;
  let delayMs = 0;
  let target = targetPort;
  let budget: { direction: Direction; left: number } | undefined;

  const drop = (link: Link): void => {
    links.delete(link);
    link.client.resetAndDestroy();
    link.server.resetAndDestroy();
  };
  const deliver = (to: Socket, chunk: Buffer, direction: Direction): void => {
    bytes[direction] += chunk.length;
    if (!to.destroyed) to.write(chunk);
  };
  const forward = (link: Link, direction: Direction, chunk: Buffer): void => {
    const to = direction === 'up' ? link.server : link.client;
    if (swallow.has(direction)) {
      link.broken = true;
      return;
    }
    if (keep.has(direction)) {
      link.held.push({ to, chunk });
      return;
    }
    if (budget?.direction === direction) {
      if (chunk.length >= budget.left) {
        const part = chunk.subarray(0, budget.left);
        budget = undefined;
        // A reset may overtake bytes that the receiver has not read: end politely after them instead.
        bytes[direction] += part.length;
        links.delete(link);
        to.end(part);
        (direction === 'up' ? link.client : link.server).resetAndDestroy();
        return;
      }
      budget.left -= chunk.length;
    }
    if (delayMs === 0) {
      deliver(to, chunk, direction);
      return;
    }
    // The link's own queue keeps the order; a timer only says that its head is due.
    link.held.push({ to, chunk });
    setTimeout(() => {
      const head = link.held.shift();
      if (head) deliver(head.to, head.chunk, head.to === link.server ? 'up' : 'down');
    }, delayMs);
  };

  const server: Server = createServer({ noDelay: true }, (client) => {
    accepted += 1;
    client.on('error', () => undefined);
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    const upstream = createConnection({ port: target, host: '127.0.0.1', noDelay: true });
    const link: Link = { client, server: upstream, broken: false, held: [] };
    links.add(link);
    upstream.on('error', () => undefined);
    client.on('data', (chunk: Buffer) => forward(link, 'up', chunk));
    upstream.on('data', (chunk: Buffer) => forward(link, 'down', chunk));
    // In a blackhole nobody hears that the other side has gone.
    client.on('close', () => {
      if (swallow.has('up')) link.broken = true;
      else {
        upstream.destroy();
        links.delete(link);
      }
    });
    upstream.on('close', () => {
      if (swallow.has('down') || keep.has('down')) {
        link.broken = true;
        return;
      }
      client.destroy();
      links.delete(link);
    });
  });
  const port = await listenAnywhere(server);
  const both: readonly Direction[] = ['up', 'down'];
  const chosen = (directions: Direction[]): readonly Direction[] =>
    directions.length > 0 ? directions : both;
  return {
    port,
    address: `127.0.0.1:${port}`,
    get accepted() {
      return accepted;
    },
    get open() {
      return [...links].filter(({ client }) => !client.destroyed).length;
    },
    bytes,
    cut: () => [...links].forEach(drop),
    cutAfter: (direction, count) => void (budget = { direction, left: count }),
    blackhole: (...directions) => chosen(directions).forEach((direction) => swallow.add(direction)),
    hold: (...directions) => chosen(directions).forEach((direction) => keep.add(direction)),
    delay: (ms) => void (delayMs = ms),
    refuse: () => void (refusing = true),
    inject: (chunk) => [...links].forEach((link) => link.client.write(chunk)),
    heal() {
      swallow.clear();
      keep.clear();
      refusing = false;
      delayMs = 0;
      budget = undefined;
      for (const link of [...links]) {
        if (link.broken) drop(link);
        for (const { to, chunk } of link.held.splice(0)) {
          deliver(to, chunk, to === link.server ? 'up' : 'down');
        }
      }
    },
    target: (next) => void (target = next),
    async close() {
      [...links].forEach(drop);
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
