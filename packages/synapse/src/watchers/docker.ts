import { run, untilAborted } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';
import * as z from 'zod';

import type { Snapshot, SourceProblem } from '../catalog/types.js';
import { discoveryBase, oneOrMore, port } from '../config/fields.js';
import { JsonClient } from './http/jsonClient.js';
import { pollSource } from './source/poll.js';
import type { SourceReading } from './source/sourceState.js';
import { defineWatcher, type WatcherContext } from './types.js';

const usualPort = 4243;
const usualInterval = 15;
/** A daemon that answers nothing for so long is lost, in milliseconds. */
const timeoutMs = 10_000;

const server = () =>
  z
    .object({
      name: z.string().min(1).optional().describe('Name of the instances of this server.'),
      host: z.string().min(1).optional().describe('Where the daemon listens, and its containers.'),
      port: port.optional().describe('Port of the daemon.').meta({ default: usualPort }),
      socket: z
        .string()
        .regex(/^\/./, 'expected an absolute path')
        .optional()
        .describe('The unix socket of the daemon, instead of a port. `host` is 127.0.0.1 by default then.'),
    })
    .refine(({ host, socket }) => host !== undefined || socket !== undefined, 'Expected a host, or a socket');

const options = () =>
  z.object({
    method: z.literal('docker'),
    servers: oneOrMore(server()).describe('The daemons to ask: `{name, host, port}` or `{name, socket}`.'),
    image_name: z.string().min(1).describe('The image of the containers, without its tag.'),
    container_port: port.describe('The port in the container; the instance has the one it is published at.'),
    check_interval: z
      .number()
      .positive()
      .max(86_400)
      .nullish()
      .describe('Seconds between two questions.')
      .meta({ default: usualInterval }),
    ...discoveryBase,
  });

type Options = z.output<ReturnType<typeof options>>;
type Server = z.output<ReturnType<typeof server>>;

/** Containers of an image, as Docker (or Podman) lists them, at their published ports. */
export const dockerWatcher = defineWatcher({
  method: 'docker',
  options,
  create: (given, context) => ({ run: (emit, signal) => watch(given, context, emit, signal) }),
});

/** Asks every daemon on its own: one that is lost keeps what it said, and makes the whole stale. */
async function watch(
  given: Options,
  context: WatcherContext,
  emit: (snapshot: Snapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  const known: (Exclude<Snapshot, { status: 'pending' }> | undefined)[] = given.servers.map(() => undefined);
  // One that never answers must not keep the others' containers back for ever.
  let waits = true;
  const tell = (): void => {
    const spoke = known.filter((one) => one !== undefined);
    if (spoke.length === 0 || (waits && spoke.length < known.length)) return;
    const isLive = spoke.length === known.length && spoke.every(({ status }) => status === 'live');
    const problems = spoke.flatMap((one) => one.problems ?? []);
    emit({
      status: isLive ? 'live' : 'stale',
      instances: spoke.flatMap(({ instances }) => instances),
      ...(problems.length > 0 && { problems }),
    });
  };
  const patience = context.clock.setTimeout(() => {
    waits = false;
    tell();
  }, timeoutMs);
  const clients = given.servers.map((one) => ({
    one,
    client: new JsonClient(context.clock, () => Promise.resolve(undefined)),
  }));
  const tasks = clients.map(({ one, client }, at) => {
    return (inner: AbortSignal) =>
      pollSource(
        {
          source: describe(one),
          everyMs: (given.check_interval ?? usualInterval) * 1000,
          timeoutMs,
          read: (asking) => list(client, one, given, asking),
          emit: (snapshot) => {
            if (snapshot.status !== 'pending') known[at] = snapshot;
            tell();
          },
          context,
        },
        inner,
      );
  });
  try {
    await run([untilAborted, ...tasks], signal);
  } finally {
    patience.cancel();
    for (const { client } of clients) client.close();
  }
}

function describe({ host, port: at, socket }: Server): string {
  return socket === undefined ? `docker at ${host ?? ''}:${at ?? usualPort}` : `docker at ${socket}`;
}

async function list(
  client: JsonClient,
  { host = '127.0.0.1', port: at = usualPort, socket, name }: Server,
  given: Options,
  signal: AbortSignal,
): Promise<SourceReading> {
  const endpoint = socket === undefined ? `${host.includes(':') ? `[${host}]` : host}:${at}` : 'localhost';
  const asked = { endpoint, socketPath: socket, path: '/containers/json', headers: {}, timeoutMs };
  const { status, value } = await client.get(asked, signal);
  if (status !== 200) throw new Error(`it answers ${status}`);
  if (!Array.isArray(value)) throw new Error('it answers with no list of containers');
  return containersOf(value, { host, name }, given);
}

/** The containers of a list that are meant. Those of the image without the port published have a problem. */
export function containersOf(
  answer: readonly unknown[],
  at: { readonly host: string; readonly name: string | undefined },
  { image_name: image, container_port: wanted }: Pick<Options, 'image_name' | 'container_port'>,
): SourceReading {
  const instances: Instance[] = [];
  const problems: SourceProblem[] = [];
  for (const container of answer) {
    const { Image: is, Ports: ports, Id: id } = Object(container) as Readonly<Record<string, unknown>>;
    if (typeof is !== 'string' || !isImage(is, image)) continue;
    const published = publishedPort(ports, wanted);
    if (published !== undefined)
      instances.push({ host: at.host, port: published, ...(at.name !== undefined && { name: at.name }) });
    else
      problems.push({
        path: `container ${String(id).slice(0, 12)}`,
        reason: `port ${wanted} is not published on the host`,
      });
  }
  return { instances, problems: problems.slice(0, 50) };
}

/** Whether an image is the one meant: without its tag or digest, and whether or not it names Docker's own registry. */
function isImage(is: string, meant: string): boolean {
  const untagged = is.replace(/@.*$/s, '').replace(/:[^:/]*$/s, '');
  const short = /^(?:docker\.io\/(?:library\/)?|localhost\/)/;
  return untagged === meant || untagged.replace(short, '') === meant.replace(short, '');
}

/** The port of the host that leads to a container's TCP port; the lowest of several. */
function publishedPort(ports: unknown, wanted: number): number | undefined {
  const found = (Array.isArray(ports) ? ports : []).flatMap((one): number[] => {
    const { PrivatePort: inner, PublicPort: outer, Type: type } = Object(one) as Record<string, unknown>;
    const isMeant = inner === wanted && (type === undefined || type === 'tcp');
    return isMeant && port.safeParse(outer).success ? [Number(outer)] : [];
  });
  return found.length === 0 ? undefined : Math.min(...found);
}
