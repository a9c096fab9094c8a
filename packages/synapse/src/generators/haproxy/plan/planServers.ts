import { difference } from '../../../catalog/difference.js';
import type { BackendContext } from '../desired/backendContext.js';
import { byName } from '../desired/byName.js';
import { isTier } from '../desired/tierNames.js';
import {
  effectiveWeight,
  isAgentDriven,
  isChecked,
  isSameServer,
  runtimeServer,
  startsInMaint,
} from './runtimeServer.js';
import { noteSettled, settledBefore } from './settled.js';
import type {
  Capabilities,
  ObservedServer,
  ReloadReason,
  RuntimeCommand,
  Server,
  ServiceSections,
} from '../types.js';

/** One backend as wanted, as its file was, and as it runs. */
export interface BackendDifference {
  readonly desired: ServiceSections;
  readonly loaded: ServiceSections;
  readonly running: ReadonlyMap<string, ObservedServer>;
  /** Of the lines that run: those loaded. */
  readonly context: BackendContext;
  readonly capabilities: Capabilities;
  /** A reload is coming anyway: servers that changed are left to it. */
  readonly reloading: boolean;
  /** Weights that are not the servers' own, by server. */
  readonly weights?: ReadonlyMap<string, number> | undefined;
}

type Cause = Pick<ReloadReason, 'kind'> & { readonly cause: string };

/** HAProxy deletes no server that another line of its file points to. */
const pinned: Cause = { kind: 'server-needs-reload', cause: 'a use-server line points to it' };

function isMoved(server: Server, running: ObservedServer): boolean {
  return running.address !== server.address || running.port !== server.port;
}

/** A server that ramps up after its start (`slowstart`) takes its share already. */
function isServing({ operational }: ObservedServer): boolean {
  return operational === 'up' || operational === 'starting';
}

/** True for one that takes requests now. */
function isInRotation(running: ObservedServer | undefined): boolean {
  return running?.admin === 'ready' && isServing(running) && running.weight > 0;
}

/** The servers that a plan looks at one by one. */
interface Scope {
  readonly servers: readonly Server[];
  /** Names that were loaded and are not wanted. */
  readonly leaving: Iterable<string>;
  /** Of all other wanted servers, those that serve, and those that take requests. */
  readonly serving: number;
  readonly inRotation: number;
}

class BackendPlanner {
  readonly #commands: { first: RuntimeCommand[]; replace: RuntimeCommand[]; last: RuntimeCommand[] };
  readonly #blocked = new Map<string, Cause & { readonly servers: string[] }>();
  readonly #backend: string;
  readonly #loaded: ReadonlyMap<string, Server>;
  /** True when servers are wanted that only a reload can bring. */
  #awaitsReload = false;

  constructor(private readonly difference: BackendDifference) {
    this.#commands = { first: [], replace: [], last: [] };
    this.#backend = difference.desired.backend.name;
    this.#loaded = byName(difference.loaded.backend.servers);
  }

  #block(server: Server | ObservedServer, { kind, cause }: Cause): void {
    const key = `${kind} ${cause}`;
    const blocked = this.#blocked.get(key);
    if (blocked === undefined) this.#blocked.set(key, { kind, cause, servers: [server.name] });
    else blocked.servers.push(server.name);
  }

  /** The command that adds a server, or why a running HAProxy cannot take it. */
  #addition(server: Server): RuntimeCommand | Cause {
    const { capabilities, context } = this.difference;
    const { name, address, port, id } = server;
    if (!capabilities.dynamicServers) {
      return {
        kind: 'no-dynamic-servers',
        cause: `HAProxy ${capabilities.version} takes no servers at run time`,
      };
    }
    if (context.staticBalance !== undefined) {
      return { kind: 'no-dynamic-servers', cause: context.staticBalance };
    }
    const runtime = runtimeServer(server, context, capabilities);
    if ('needsFile' in runtime) return { kind: 'server-needs-reload', cause: runtime.needsFile };
    if (id === undefined) return { kind: 'server-needs-reload', cause: 'no server id' };
    return {
      ...{ kind: 'add-server', backend: this.#backend, server: name, address, port, id },
      ...{ options: runtime.options, weight: this.#weight(server), checked: runtime.checked },
    };
  }

  #weight(server: Server): number {
    return this.difference.weights?.get(server.name) ?? effectiveWeight(server, this.difference.context);
  }

  #setState(server: string, state: 'ready' | 'maint'): void {
    this.#commands.first.push({ kind: 'set-state', backend: this.#backend, server, state });
  }

  /** What only a reload can bring, be it new or changed. */
  #await(server: Server, cause: Cause): void {
    this.#awaitsReload = true;
    this.#block(server, cause);
  }

  /** True when it comes without a reload. */
  #add(server: Server): boolean {
    const addition = this.#addition(server);
    if ('cause' in addition) this.#await(server, addition);
    else this.#commands.first.push(addition);
    return !('cause' in addition);
  }

  /**
   * Address, state and weight of a server that runs and is otherwise as wanted. One that is wanted again while its
   * removal waits for a connection to end has lost its address: see `removeServer`.
   */
  #correct(server: Server, running: ObservedServer): void {
    const { context } = this.difference;
    if (isMoved(server, running)) {
      const { name, address, port } = server;
      this.#commands.first.push({ kind: 'set-address', backend: this.#backend, server: name, address, port });
    }
    if (isAgentDriven(server, context)) return;
    if (running.admin !== 'ready') this.#setState(server.name, 'ready');
    const weight = this.#weight(server);
    if (weight === running.weight) return;
    if (context.staticBalance === undefined) {
      const { name } = server;
      this.#commands.first.push({ kind: 'set-weight', backend: this.#backend, server: name, weight });
    } else
      this.#block(server, { kind: 'server-needs-reload', cause: `weight under ${context.staticBalance}` });
  }

  #isAsWanted(server: Server, running: ObservedServer): boolean {
    const loaded = this.#loaded.get(server.name);
    // A host name that resolves otherwise now is no other server: only where it leads to is corrected.
    const { address, port } = server;
    if (loaded === undefined) return false;
    if (loaded !== server && !isSameServer({ ...loaded, address, port }, server)) return false;
    // Nobody but its agent may say when such a server is ready again.
    if (isMoved(server, running) && isAgentDriven(server, this.difference.context)) return false;
    if (server.id !== undefined && running.id !== server.id) return false;
    // Checks that are off mean that adding it was interrupted: nobody would ever notice its death.
    return running.checked || !isChecked(server, this.difference.context);
  }

  /**
   * Servers that run otherwise than wanted. Replacing one takes it out of rotation until its requests have ended,
   * which is done for no more than half of them at once (see `applyCommands`). The only one of a backend, `others`
   * being those that serve or are about to, is left to a reload, which takes nothing out.
   */
  #change(changed: readonly Server[], others: number): void {
    const inRotation = (server: Server): boolean => isInRotation(this.difference.running.get(server.name));
    const busy = changed.filter(inRotation);
    // Requests for a tier have the wider ones to go to.
    const reload = busy.length === 1 && others === 0 && !isTier(this.difference.desired.service);
    for (const server of changed) {
      if (this.difference.reloading && inRotation(server)) continue;
      const addition = this.#addition(server);
      if ('cause' in addition) this.#await(server, addition);
      else if (this.difference.context.pinned.has(server.name)) this.#await(server, pinned);
      else if (reload && inRotation(server)) {
        const cause = 'changed options, and no other server to carry the load';
        this.#block(server, { kind: 'server-needs-reload', cause });
      } else {
        const { name } = server;
        this.#commands.replace.push(
          { kind: 'remove-server', backend: this.#backend, server: name },
          addition,
        );
      }
    }
  }

  /** A vanished server waits in maintenance for its return, unless it would return as another. */
  #takeOut(server: Server, running: ObservedServer): void {
    const loaded = this.#loaded.get(server.name);
    if (loaded === undefined || !isSameServer(loaded, server)) this.#remove(running);
    else if (running.admin !== 'maint') this.#setState(server.name, 'maint');
  }

  #remove(running: ObservedServer): void {
    const { capabilities, context } = this.difference;
    const { name } = running;
    const stays = !capabilities.dynamicServers || context.pinned.has(name);
    if (!stays) {
      this.#commands.last.push({ kind: 'remove-server', backend: this.#backend, server: name });
      return;
    }
    if (running.admin !== 'maint') this.#setState(name, 'maint');
    this.#block(
      running,
      capabilities.dynamicServers
        ? pinned
        : {
            kind: 'no-dynamic-servers',
            cause: `HAProxy ${capabilities.version} keeps servers until a reload`,
          },
    );
  }

  plan(): { readonly commands: readonly RuntimeCommand[]; readonly reasons: readonly ReloadReason[] } {
    const { running, context } = this.difference;
    const { servers, leaving, ...rest } = this.#scope();
    const changed: Server[] = [];
    const vanished: (readonly [Server, ObservedServer])[] = [];
    let { serving: others, inRotation } = rest;
    for (const server of servers) {
      const now = running.get(server.name);
      if (startsInMaint(server, context)) {
        if (now !== undefined) vanished.push([server, now]);
        continue;
      }
      if (isInRotation(now)) inRotation += 1;
      if (now === undefined) {
        if (this.#add(server)) others += 1;
      } else if (this.#isAsWanted(server, now)) {
        this.#correct(server, now);
        if (isServing(now)) others += 1;
      } else changed.push(server);
    }
    this.#change(changed, others);
    // Where all are replaced by others that only a reload brings, the old ones serve until then.
    const isNeeded = (now: ObservedServer): boolean =>
      inRotation === 0 && this.#awaitsReload && isInRotation(now);
    for (const [server, now] of vanished) if (!isNeeded(now)) this.#takeOut(server, now);
    for (const name of leaving) {
      const now = running.get(name);
      if (now !== undefined && !isNeeded(now)) this.#remove(now);
    }
    const { first, replace, last } = this.#commands;
    const commands = [...first, ...replace, ...last];
    const reasons = this.#reasons();
    if (commands.length + reasons.length + changed.length === 0)
      noteSettled(this.difference, { serving: others, inRotation });
    return { commands, reasons };
  }

  /** All of them; or those that differ from what was seen to run as wanted. */
  #scope(): Scope {
    const { desired, running, context } = this.difference;
    const settled = settledBefore(this.difference);
    if (settled === undefined) {
      const wanted = byName(desired.backend.servers);
      const leaving = [...this.#loaded.keys()].filter((name) => !wanted.has(name));
      return { servers: desired.backend.servers, leaving, serving: 0, inRotation: 0 };
    }
    const { gone, come } = difference(settled.servers, desired.backend.servers);
    let { serving, inRotation } = settled;
    for (const server of gone) {
      const now = running.get(server.name);
      if (now === undefined || startsInMaint(server, context)) continue;
      if (isServing(now)) serving -= 1;
      if (isInRotation(now)) inRotation -= 1;
    }
    const wanted = byName(come);
    const leaving = gone.flatMap(({ name }) => (wanted.has(name) ? [] : [name]));
    return { servers: come, leaving, serving, inRotation };
  }

  #reasons(): readonly ReloadReason[] {
    const { service } = this.difference.desired;
    return [...this.#blocked.values()].map(({ kind, cause, servers }) => {
      const [first = '', ...others] = servers;
      const who = others.length === 0 ? first : `${first} and ${others.length} more`;
      return { kind, detail: `${this.#backend}/${who}: ${cause}`, service };
    });
  }
}

/** The commands that bring one running backend's servers to what is wanted, and what they cannot do. */
export function planServers(difference: BackendDifference): ReturnType<BackendPlanner['plan']> {
  return new BackendPlanner(difference).plan();
}
