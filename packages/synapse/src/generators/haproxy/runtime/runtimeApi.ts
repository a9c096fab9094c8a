import { type Clock } from '@smartstack/agent';
import { hostPort } from '../../names.js';
import type { RuntimeSession } from './runtimeClient.js';
import { RuntimeApiError } from './runtimeError.js';
import type { RuntimeCommand } from '../types.js';

/** How carrying out one command ended. */
export type CommandOutcome =
  | { readonly result: 'done'; readonly detail?: string }
  /**
   * To be tried again later: the server is out of rotation (maint) but connections still hold it, or its
   * replacement waits for one of which that is true.
   */
  | { readonly result: 'lingering'; readonly detail: string }
  | { readonly result: 'failed'; readonly detail: string };

type AddServer = Extract<RuntimeCommand, { kind: 'add-server' }>;
type RemoveServer = Extract<RuntimeCommand, { kind: 'remove-server' }>;

/** What a command may use while it is carried out. */
export interface CommandContext {
  readonly session: RuntimeSession;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Answers why a new checked server should wait for HAProxy's checks; undefined lets it in at once. */
  readonly confirm: (command: AddServer) => Promise<string | undefined>;
  readonly deletion: DeletionPatience;
}

/** How `del server` is retried, every 10 ms. */
export interface DeletionPatience {
  /** Attempts before the server is left lingering. */
  readonly attempts: number;
  /** Failed attempts after which idle connections, not requests, are what holds the server. */
  readonly beforeNewAddress: number;
}

const retryDeleteMs = 10;
/** HAProxy gives dynamic servers no connection pool unless told (haproxy 2.6). */
const poolOptions: readonly (readonly [string, string])[] = [
  ['pool-purge-delay', '5s'],
  ['pool-max-conn', '-1'],
];
const gone = /^No such (server|backend)\.$/;

function word(value: string): string {
  if (!/^[^\s;\\#$"']+$/.test(value)) {
    throw new RuntimeApiError(
      'runtime-refused',
      `refused to send ${JSON.stringify(value)} as one word of a command`,
    );
  }
  return value;
}

function integer(value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RuntimeApiError('runtime-refused', `refused to send the number ${value}`);
  }
  return value;
}

function targetOf(command: RuntimeCommand): string {
  return word(`${command.backend}/${command.server}`);
}

/** The `add server` line of a command. Throws on fields that would not stay one word. */
export function encodeAddServer(command: AddServer): string {
  const { address, port, id, options } = command;
  const pool = poolOptions.filter(([name]) => !options.includes(name)).flat();
  const words = [...options, ...pool].map(word).join(' ');
  const place = word(hostPort(address, integer(port, 1, 65_535)));
  // It takes nothing until it is enabled. Of one that is checked the weight comes when its health is settled.
  const weight = command.checked ? 0 : integer(command.weight, 0, 256);
  return `add server ${targetOf(command)} ${place} id ${integer(id, 1, 2_147_483_647)} weight ${weight} ${words}`;
}

async function askExpecting(
  session: RuntimeSession,
  command: string,
  expected: (reply: string) => boolean,
): Promise<string> {
  const reply = await session.ask(command);
  if (!expected(reply)) throw rejected(command, reply);
  return reply;
}

function rejected(command: string, reply: string): RuntimeApiError {
  return new RuntimeApiError('runtime-rejected', `${command}: ${reply || 'empty answer'}`);
}

const isEmpty = (reply: string): boolean => reply === '';

/** Sends the lines in order without waiting in between; all must be answered by silence. */
async function askAll(session: RuntimeSession, lines: readonly string[]): Promise<void> {
  await Promise.all(lines.map((line) => askExpecting(session, line, isEmpty)));
}

async function addServer(command: AddServer, { session, confirm }: CommandContext): Promise<CommandOutcome> {
  const target = targetOf(command);
  const added = askExpecting(
    session,
    encodeAddServer(command),
    (reply) => reply === 'New server registered.',
  );
  const enable = `enable server ${target}`;
  if (!command.checked) {
    // Not after the answer, which would take as long again: where it is refused for the sake of a server of that
    // name, the next pass takes that one over anyway.
    await Promise.all([added, askAll(session, [enable])]);
    return { result: 'done' };
  }
  const weight = `set server ${target} weight ${integer(command.weight, 0, 256)}`;
  const [, waitReason] = await Promise.all([added, confirm(command)]);
  // `health down` before `enable server` is undone by it, so the weight comes last: until then it takes nothing.
  const down = waitReason === undefined ? [] : [`set server ${target} health down`];
  await askAll(session, [enable, `enable health ${target}`, ...down, weight]);
  return waitReason === undefined ? { result: 'done' } : { result: 'done', detail: waitReason };
}

async function removeServer(command: RemoveServer, context: CommandContext): Promise<CommandOutcome> {
  const { session, clock, signal, deletion } = context;
  const target = targetOf(command);
  const answer = await askExpecting(
    session,
    `set server ${target} state maint`,
    (reply) => isEmpty(reply) || gone.test(reply),
  );
  if (gone.test(answer)) return { result: 'done', detail: answer };
  for (let attempt = 1; ; attempt += 1) {
    const reply = await session.ask(`del server ${target}`);
    if (reply === 'Server deleted.' || gone.test(reply)) return { result: 'done' };
    if (!reply.includes('still has connections')) {
      throw rejected(`del server ${target}`, reply);
    }
    if (attempt >= deletion.attempts) return { result: 'lingering', detail: reply };
    if (attempt >= deletion.beforeNewAddress) {
      // A request that ends after MAINT parks its connection for reuse, which holds the server; a change of
      // address makes HAProxy close it. The port alternates, because an equal address changes nothing.
      await session.ask(`set server ${target} addr 127.0.0.1 port ${1 + (attempt % 2)}`);
    }
    await clock.sleep(retryDeleteMs, signal);
  }
}

/** Carries one command out. Rejections by HAProxy are outcomes; a broken connection throws. */
export async function carryOut(command: RuntimeCommand, context: CommandContext): Promise<CommandOutcome> {
  try {
    switch (command.kind) {
      case 'add-server':
        return await addServer(command, context);
      case 'remove-server':
        return await removeServer(command, context);
      case 'set-state':
        await askAll(context.session, [`set server ${targetOf(command)} state ${command.state}`]);
        return { result: 'done' };
      case 'set-address': {
        const { address, port } = command;
        const place = `addr ${word(address)} port ${integer(port, 1, 65_535)}`;
        // It answers with what it did ("IP changed from ..."), or that nothing needed to be done (3.0: "nothing changed").
        await askExpecting(context.session, `set server ${targetOf(command)} ${place}`, (reply) =>
          /(IP|port) changed from|no need to change|^nothing changed/.test(reply),
        );
        return { result: 'done' };
      }
      case 'set-weight':
        await askAll(context.session, [
          `set server ${targetOf(command)} weight ${integer(command.weight, 0, 256)}`,
        ]);
        return { result: 'done' };
    }
  } catch (error) {
    if (!(error instanceof RuntimeApiError)) throw error;
    if (error.code !== 'runtime-rejected' && error.code !== 'runtime-refused') throw error;
    return { result: 'failed', detail: error.message };
  }
}
