import { latencyBounds, latencyBuckets } from '../../../traffic/latency.js';
import { defaultController, step, type SteeredBackend, unsteered } from '../balance/controller.js';
import type { Look } from '../balance/evidence.js';

/** A server as a fleet simulates it. */
export interface SimulatedServer {
  /** Mean latency in seconds while it has nothing else to do. */
  readonly seconds: number;
  /** Requests per second that it can do; absent: any number. */
  readonly capacity?: number;
  /** Share of its responses that are 5xx. */
  readonly failing?: number;
  /** It takes requests and answers none. */
  readonly stalls?: boolean;
}

/** Numbers that look random and are the same each time, in [0, 1). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function bucketOf(seconds: number): number {
  const found = latencyBounds.findIndex((bound) => seconds <= bound);
  return found < 0 ? latencyBuckets - 1 : found;
}

/** Agents that balance over the same servers by themselves, second by second. */
export class SimulatedFleet {
  readonly #random: () => number;
  readonly #agents: SteeredBackend[];
  readonly #open: Map<string, number>[];
  /** Requests under way are looked at every other second. */
  #isCounted = false;
  /** So many commands were sent, by all agents. */
  commands = 0;

  constructor(agents: number, seed: number) {
    this.#random = seeded(seed);
    this.#agents = Array.from({ length: agents }, () => new Map());
    this.#open = Array.from({ length: agents }, () => new Map<string, number>());
  }

  /** A second with so many requests of each agent. Answers with the share that each server got. */
  tick(servers: ReadonlyMap<string, SimulatedServer>, rate: number): ReadonlyMap<string, number> {
    this.#isCounted = !this.#isCounted;
    const names = [...servers.keys()];
    const sent = this.#agents.map((agent) => this.#spread(agent, names, rate));
    const totals = new Map(
      names.map((name) => [name, sent.reduce((sum, own) => sum + (own.get(name) ?? 0), 0)]),
    );
    this.#agents.forEach((agent, index) => {
      const open = this.#open[index] ?? new Map<string, number>();
      const looks = new Map(
        names.map((name) => {
          const count = sent[index]?.get(name) ?? 0;
          return [name, this.#look(servers.get(name), name, count, totals.get(name) ?? 0, open)];
        }),
      );
      const after = step(agent, names, looks, 1, this.#random, defaultController);
      for (const name of names)
        if (after.get(name)?.factor !== (agent.get(name) ?? unsteered).factor) this.commands += 1;
      this.#agents[index] = after;
    });
    const all = rate * this.#agents.length;
    return new Map([...totals].map(([name, count]) => [name, count / all]));
  }

  /** The factors of one agent. */
  factors(agent = 0): ReadonlyMap<string, number> {
    return new Map([...(this.#agents[agent] ?? [])].map(([name, { factor }]) => [name, factor]));
  }

  /** As roundrobin with these weights does: what is left over by chance. */
  #spread(agent: SteeredBackend, names: readonly string[], rate: number): Map<string, number> {
    const weights = names.map((name) => Math.max(1, Math.round(256 * (agent.get(name)?.factor ?? 1))));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return new Map(
      names.map((name, index) => {
        const exact = (rate * (weights[index] ?? 0)) / total;
        return [name, Math.floor(exact) + (this.#random() < exact % 1 ? 1 : 0)];
      }),
    );
  }

  #look(
    server: SimulatedServer | undefined,
    name: string,
    count: number,
    load: number,
    open: Map<string, number>,
  ): Look {
    const { seconds = 0, capacity = Infinity, failing = 0, stalls = false } = server ?? {};
    const latencies = new Array<number>(latencyBuckets).fill(0);
    if (stalls) {
      open.set(name, (open.get(name) ?? 0) + count);
      return { latencies, failures: 0, lost: 0, open: this.#isCounted ? open.get(name) : undefined };
    }
    open.delete(name);
    // A queue: the nearer to its capacity, the longer; beyond it requests wait for about a second.
    const mean = Math.min(seconds + 1, seconds / Math.max(0.001, 1 - load / capacity));
    let failures = 0;
    for (let request = 0; request < count; request += 1) {
      // Half of it always, the other half as chance has it.
      const latency = mean * (0.5 - 0.5 * Math.log(1 - this.#random()));
      latencies[bucketOf(latency)] = (latencies[bucketOf(latency)] ?? 0) + 1;
      if (this.#random() < failing) failures += 1;
    }
    return { latencies, failures, lost: 0, open: this.#isCounted ? 0 : undefined };
  }
}
