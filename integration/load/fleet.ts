import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { startProgram } from './program.ts';

/** Instances that run in one process, each on an address of 127.0.0.0/8 of its own, on the same two ports. */
export interface FleetPlan {
  readonly addresses: readonly string[];
  /** `/` answers at once with the address; `/stream` takes `chunks` x `chunkMs` and ends with `whole`. */
  readonly httpPort: number;
  /** Repeats what it gets. */
  readonly tcpPort: number;
  readonly chunks: number;
  readonly chunkMs: number;
}

/** What the process is told: which instances die. */
export interface FleetCommand {
  readonly addresses: readonly string[];
  readonly sequence: number;
}

/** The instances of a scenario. They live until they are killed, whether registered or not. */
export interface Fleet extends FleetPlan {
  /** Stops listening and cuts every connection, as processes do that die. */
  kill(addresses: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** `count` addresses of 127.`net`.0.0/16. */
export function addressesOf(net: number, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `127.${net}.${Math.floor(i / 250)}.${(i % 250) + 1}`);
}

/** Starts an instance on each address, in a process of its own, and waits until all listen. */
export async function startFleet(addresses: readonly string[]): Promise<Fleet> {
  const [httpPort, tcpPort] = [await freePort(), await freePort()];
  const plan: FleetPlan = { addresses, httpPort, tcpPort, chunks: 8, chunkMs: 50 };
  const done = new Set<number>();
  let problem: string | undefined;
  const child = startProgram('fleetProcess', plan, (message) => {
    const answer = message as { readonly done?: number; readonly reason?: string };
    if (answer.done !== undefined) done.add(answer.done);
    problem ??= answer.reason;
  });
  let sequence = 0;
  const answered = (number: number): Promise<unknown> =>
    eventually(
      () => {
        if (problem !== undefined || !child.running) throw new Error(problem ?? child.output);
        return done.has(number);
      },
      { what: 'the fleet does as it is told', timeoutMs: 20_000 },
    );
  const kill = async (chosen: readonly string[]): Promise<void> => {
    sequence += 1;
    const command: FleetCommand = { addresses: chosen, sequence };
    child.send({ ...command });
    await answered(command.sequence);
  };
  await answered(0);
  return {
    ...plan,
    kill,
    stop: () => child.stop('SIGKILL'),
  };
}
