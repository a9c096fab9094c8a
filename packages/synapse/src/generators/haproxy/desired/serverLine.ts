import { createHash } from 'node:crypto';
import type { Instance } from '@smartstack/registry';
import type { BackendContext } from './backendContext.js';
import { serverAddress, serverName } from '../../names.js';
import {
  combinationProblem,
  joinOptions,
  lastValue,
  parseOptions,
  registryOptions,
  splitWords,
  withoutOption,
} from './options.js';
import type { HaproxyConfig } from '../block/schema.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import { expandTemplate, type TemplateValues } from './template.js';
import type { Server } from '../types.js';

/** All that a server line depends on besides its instance. */
export interface ServerContext {
  readonly config: Pick<
    HaproxyConfig,
    'useNerveWeights' | 'registryServerOptions' | 'maxServerId' | 'keepVanished' | 'serverOrderSeed'
  >;
  readonly service: HaproxyServiceConfig;
  readonly backend: BackendContext;
  readonly serverVerifyNone: boolean;
  readonly addresses: ReadonlyMap<string, string>;
  /** Ids in the running backend that are not ours to give, with the names that have them. */
  readonly foreignIds?: ReadonlyMap<number, string> | undefined;
}

/** An instance that got no server line, and why. */
export interface Refusal {
  readonly instance: string;
  readonly reason: string;
}

/** A server that has its id. */
export interface Placed {
  readonly server: Server;
  /** What it is remembered by. */
  readonly entry: { readonly instance: Instance; readonly id: number };
}

/** A server line that lacks only its id. `server.id` is set when the options state it. */
export class Draft {
  #placed: Placed | undefined;

  constructor(
    readonly server: Server,
    readonly instance: Instance,
    /** HAProxy checks it itself. */
    readonly isChecked: boolean,
    /** What was changed to make it fit. */
    readonly warning: string | undefined,
  ) {}

  /** The server with its id: the very same for the same id as before. */
  withId(id: number): Placed {
    if (this.#placed?.entry.id === id) return this.#placed;
    const { server, instance } = this;
    this.#placed = { server: { ...server, id }, entry: { instance, id } };
    return this.#placed;
  }
}

/** How an instance is called in messages, whatever it holds. */
export function describeInstance({ name, host, port }: Instance): string {
  const text = [name, `${host}:${port}`].filter((part) => part).join(' ');
  return /^[\x20-\x7e]{1,120}$/.test(text) ? text : JSON.stringify(text).slice(0, 120);
}

function cookieOf(name: string, { service, backend }: ServerContext): { cookie: string } | undefined {
  if (!backend.cookie) return undefined;
  const hash = (): string => createHash('sha1').update(name).digest('hex');
  return { cookie: service.cookieValue === 'hash' ? hash() : name };
}

/** What the options of a line amount to: most instances of a service share them. */
type LineOptions =
  | { readonly words: readonly string[]; readonly id: number | undefined; readonly isChecked: boolean }
  | { readonly reason: string };

/** What switches HAProxy's own checks of a server on and off: the last one counts. */
const checking: ReadonlySet<string> = new Set(['check', 'no-check', 'track']);

function lineOptions(
  common: string,
  own: string,
  values: TemplateValues,
  weighted: boolean,
  context: ServerContext,
): LineOptions {
  const { config, backend, serverVerifyNone } = context;
  const dropped = weighted ? 'weight' : undefined;
  const particular = registryOptions(own, values, config.registryServerOptions, dropped);
  if ('reason' in particular) return particular;
  const stated = parseOptions(splitWords(common));
  const options = [...(weighted ? withoutOption(stated, 'weight') : stated), ...particular.value];
  const all = [...backend.defaultServer, ...options];
  const problem = combinationProblem(particular.value, all, { http: backend.http, serverVerifyNone });
  if (problem !== undefined) return { reason: problem };
  // HAProxy uses the last, and the instance's own comes last.
  const id = lastValue(options, 'id') ?? '';
  const isChecked = all.findLast(({ keyword }) => checking.has(keyword))?.keyword.startsWith('no-') === false;
  return { words: joinOptions(options), isChecked, id: /^\d{1,10}$/.test(id) ? Number(id) : undefined };
}

/** The line of one instance, or why there can be none. `known` keeps options for the next instances. */
function draftServer(
  instance: Instance,
  context: ServerContext,
  known: Map<string, LineOptions>,
): Draft | Refusal {
  const refuse = (reason: string): Refusal => ({ instance: describeInstance(instance), reason });
  const name = serverName(instance);
  if ('reason' in name) return refuse(name.reason);
  const address = serverAddress(instance.host, context.addresses);
  if ('reason' in address) return refuse(address.reason);
  const values = { host: instance.host, port: instance.port, name: name.value };
  // HAProxy's weights end at 256; a greater share than all others is still what was meant.
  const weight =
    context.config.useNerveWeights && Number.isInteger(instance.weight)
      ? Math.min(256, Math.max(0, instance.weight ?? 0))
      : undefined;
  const common = expandTemplate(context.service.serverOptions, values);
  const own = instance.haproxyServerOptions ?? '';
  const particular = own.includes('%') ? name.value : '';
  // Only the last may hold the end of a line.
  const key = `${weight === undefined ? '' : 'weighted'} ${particular}\n${common}\n${own}`;
  const line = known.get(key) ?? lineOptions(common, own, values, weight !== undefined, context);
  known.set(key, line);
  if ('reason' in line) return refuse(line.reason);
  const server = {
    name: name.value,
    address: address.value,
    port: instance.port,
    id: line.id,
    ...cookieOf(name.value, context),
    options: line.words,
    ...(weight === undefined ? {} : { weight }),
    disabled: false,
  };
  const warning =
    weight === undefined || weight === instance.weight
      ? undefined
      : `weight ${String(instance.weight)} is not from 0 to 256; ${weight} is used`;
  return new Draft(server, instance, line.isChecked, warning);
}

/** Far more than the instances of one service usually have different ones. */
const maxOptions = 1_000;

/**
 * Server lines by instance, for one context. Instances are values: of the hundreds that a service has, each is
 * worked out once, and what did not change is the very same server, which whoever compares can tell at a glance.
 */
export class ServerDrafts {
  readonly #drafts = new WeakMap<Instance, Draft | Refusal>();
  readonly #options = new Map<string, LineOptions>();

  /** The line of one instance, or why there can be none. */
  of(instance: Instance, context: ServerContext): Draft | Refusal {
    const before = this.#drafts.get(instance);
    if (before !== undefined) return before;
    // Where each instance has options of its own, those of instances long gone must not pile up.
    if (this.#options.size >= maxOptions) this.#options.clear();
    const draft = draftServer(instance, context, this.#options);
    this.#drafts.set(instance, draft);
    return draft;
  }
}
