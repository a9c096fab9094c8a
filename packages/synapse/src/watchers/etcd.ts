import {
  codecOptions,
  createCodec,
  type EtcdSettings,
  hostAndPort,
  type ListedKey,
  tlsSettings,
} from '@smartstack/registry';
import * as z from 'zod';

import type { Snapshot } from '../catalog/types.js';
import { discoveryBase, oneOrMore } from '../config/fields.js';
import { ChildReader, type ReadChild } from './source/childReader.js';
import { SourceState } from './source/sourceState.js';
import { defineWatcher, type WatcherContext } from './types.js';

const absolutePath = () =>
  z
    .string()
    .startsWith('/', 'expected a path that starts with /')
    .refine((path) => !/[\0-\x1f\x7f]/.test(path), 'expected a path without control characters');

const options = () =>
  z
    .object({
      method: z.literal('etcd'),
      hosts: oneOrMore(hostAndPort).describe(
        'The members of a cluster of etcd 3.4 or newer, each host:port; the first that answers is used.',
      ),
      path: absolutePath().describe(
        "What the keys of the service's instances begin with: nerve's `etcd_path`.",
      ),
      decode: codecOptions.nullish().describe('The format of the instances; default: that of nerve.'),
      username: z.string().min(1).nullish().describe('Who to be, where etcd asks for that.'),
      password: z.string().nullish().describe('Its password. Prefer password_file.'),
      password_file: z
        .string()
        .startsWith('/', 'expected an absolute path')
        .nullish()
        .describe('A file that holds the password.'),
      tls: tlsSettings().nullish().describe('Connect with TLS.'),
      ...discoveryBase,
    })
    .superRefine(({ username, password, password_file }, context) => {
      if ((username ?? undefined) !== undefined && (password ?? password_file ?? undefined) === undefined)
        context.addIssue({
          ...{ code: 'custom', path: ['username'], message: 'needs a password or a password_file' },
        });
    });

type Options = z.output<ReturnType<typeof options>>;

/** Instances from the keys of etcd that nerve registers. */
export const etcdWatcher = defineWatcher({
  method: 'etcd',
  options,
  create: (given, context) => ({ run: (emit, signal) => watch(given, context, emit, signal) }),
});

async function watch(
  given: Options,
  context: WatcherContext,
  emit: (snapshot: Snapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  const prefix = `${given.path.replace(/\/+$/, '')}/`;
  const state = new SourceState(context, `etcd ${prefix}`, emit);
  const codec = createCodec(given.decode ?? undefined);
  let keys: ReadonlyMap<string, ListedKey> = new Map();
  const reader = new ChildReader((key, data) => {
    // Who registered first leads, as with ZooKeeper's sequence numbers.
    const id = Number(keys.get(key)?.createRevision);
    return { ...codec.decode(data ?? Buffer.alloc(0)), id };
  });
  const listener = {
    onEvent: context.onEvent,
    onKeys: (all: ReadonlyMap<string, ListedKey>): void => {
      keys = all;
      const { instances } = reader.read(childrenOf(all, prefix));
      const problems = [...reader.bad].map(([path, reason]) => ({ path, reason }));
      state.live({ instances, problems });
    },
    onLost: (reason: string) => state.lost(reason),
  };
  await context.etcd.watch(settingsOf(given), prefix, listener, signal);
}

function settingsOf({ hosts, tls, username, password, password_file: passwordFile }: Options): EtcdSettings {
  return {
    endpoints: hosts,
    tls: tls ?? undefined,
    username: username ?? undefined,
    password: password ?? undefined,
    passwordFile: passwordFile ?? undefined,
  };
}

/** An instance_id and nerve's number, or one word. What lies deeper belongs to a service whose path is longer. */
function childrenOf(keys: ReadonlyMap<string, ListedKey>, prefix: string): ReadonlyMap<string, ReadChild> {
  const children = new Map<string, ReadChild>();
  for (const [key, { value, modRevision }] of keys)
    if (/^[^/]+(?:\/\d{20})?$/.test(key.slice(prefix.length)))
      children.set(key, { kind: 'data', data: value, stat: { mzxid: modRevision } });
  return children;
}
