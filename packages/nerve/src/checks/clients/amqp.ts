import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type ChannelModel, connect, type SocketOptions } from 'amqplib';
import type { Login } from '../login.js';
import type { Trace } from '../trace.js';

/** How often a message is sent when another check of the same queue took the last one. */
const attempts = 5;

/** Where Node.js tells of every socket that is made to connect. */
const sockets = 'net.client.socket';

/** AMQP's smallest limit would do; this is the usual one. */
const maxFrame = 131_072;

/** What one probe of RabbitMQ does. */
export interface AmqpProbe extends Login {
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  /** Empty: nothing is published. */
  readonly queue: string;
}

/** Publishes a message to the queue and takes one from it. Rejects with what kept it from that. */
export async function probeAmqp(probe: AmqpProbe): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([probe.signal, stop.signal]);
  try {
    await exchange(await open(probe, signal), probe.queue, probe.trace);
  } catch (error) {
    if (!(error instanceof Error && /ConnectionOpenOk.*ConnectionClose/.test(error.message))) throw error;
    throw new Error(`the broker does not let ${probe.username} into ${probe.vhost}`, { cause: error });
  } finally {
    // The client leaves sockets of connections that failed half way to the peer.
    stop.abort();
  }
}

async function open(probe: AmqpProbe, signal: AbortSignal): Promise<ChannelModel> {
  const { host, port, username, password, vhost, tls, trace } = probe;
  const to = { hostname: host, port, username, password, vhost: encodeURIComponent(vhost) };
  const limits = { heartbeat: 0, frameMax: maxFrame, maxFrameSize: maxFrame };
  const on = async (protocol: 'amqp' | 'amqps', socket: object): Promise<ChannelModel> =>
    // Whatever a socket takes is handed on, though the types tell of a part of it only.
    await connect({ protocol, ...to, ...limits }, socket as SocketOptions);
  const login = (): void => trace?.step('login', `as ${username} to ${vhost}`);
  if (tls === undefined) {
    const plain = { signal, lookup: probe.lookup(), noDelay: true };
    return await withSocket(trace && login, () => on('amqp', plain));
  }
  const socket = probe.begin(signal);
  await once(socket, 'connect', { signal });
  login();
  trace?.note('over TLS');
  return await on('amqps', { servername: '', ...tls.options, socket });
}

/** Calls `connected` when the socket that the client makes for itself is connected. */
async function withSocket<T>(connected: (() => void) | undefined, make: () => Promise<T>): Promise<T> {
  if (connected === undefined) return await make();
  const heard = (message: unknown): void =>
    void (message as { readonly socket: Socket }).socket.once('connect', connected);
  subscribe(sockets, heard);
  try {
    // It has made it when it returns.
    const made = make();
    unsubscribe(sockets, heard);
    return await made;
  } finally {
    unsubscribe(sockets, heard);
  }
}

async function exchange(connection: ChannelModel, queue: string, trace: Trace | undefined): Promise<void> {
  const broken = new Promise<never>((_, reject) => {
    connection.on('error', reject);
    connection.on('close', () => reject(new Error('the broker closed the connection')));
  });
  // Heard of below, or of no interest any more.
  broken.catch(() => undefined);
  await Promise.race([broken, converse(connection, queue, trace)]);
  trace?.step('close');
  await connection.close();
}

async function converse(connection: ChannelModel, queue: string, trace: Trace | undefined): Promise<void> {
  trace?.step('channel');
  const channel = await connection.createChannel();
  channel.on('error', () => undefined);
  if (queue === '') return;
  trace?.step('queue', queue);
  // As Ruby declares it: the broker refuses to declare one queue in two ways.
  await channel.assertQueue(queue, { durable: false });
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    trace?.step('message', attempt === 0 ? undefined : 'once more: another check took it');
    channel.sendToQueue(queue, Buffer.from('nerve'), { mandatory: true, expiration: 2000 });
    if ((await channel.get(queue, { noAck: true })) !== false) return;
  }
  throw new Error(`nothing comes out of queue ${queue}`);
}
