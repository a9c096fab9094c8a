import type { NodeReading } from './connection.js';
import { serverError, ZooKeeperError } from './errors.js';
import type { Codec } from './transportCodec.js';
import { isBulk, requestProblem } from './transportLimits.js';
import type { DataAnswer } from './transportRequests.js';
import type { ZkPath } from './types.js';

const op = 'getData';
/** What a server before ZooKeeper 3.6 answers to a kind of request that it does not know; then it hangs up. */
const unimplemented = -6;
const tooOld =
  'it cannot read many nodes at once, as ZooKeeper 3.6 and later; from now on they are read one by one';

/** What is known of an ensemble's servers, over one connection and the next. */
export interface Habits {
  readsBulk: boolean;
}

/** The readings of many nodes, as their answers come. */
export class NodeReadings {
  /** What is to be sent: those that must not be have their reading already. */
  readonly paths: readonly ZkPath[];
  /** In the order of all that were asked for; complete when each of `paths` was answered. */
  readonly all: readonly NodeReading[];
  readonly #set: ((reading: NodeReading) => void)[] = [];

  constructor(wanted: readonly ZkPath[]) {
    const all: NodeReading[] = [];
    this.paths = wanted.filter((path, index) => {
      const problem = requestProblem(op, { path, watch: true });
      if (problem) all[index] = new ZooKeeperError(problem.kind, problem.message, { op, path });
      else this.#set.push((reading) => (all[index] = reading));
      return problem === undefined;
    });
    this.all = all;
  }

  /** Sends the reads, in bulk where that is known, and setting watches. Throws on a path that is none. */
  read(
    codec: Codec,
    habits: Habits,
    { onComplete, onTooOld }: { onComplete: () => void; onTooOld: (message: string) => void },
  ): void {
    const readEach = (): void =>
      codec.read(this.paths, true, (index, answer) => {
        this.#take(index, answer);
        if (index === this.paths.length - 1) onComplete();
      });
    if (!habits.readsBulk || !isBulk(this.paths)) {
      readEach();
      return;
    }
    codec.readBulk(this.paths, (answers) => {
      if (typeof answers !== 'number') {
        answers.forEach((answer, index) => this.#take(index, answer));
        onComplete();
      } else if (answers === unimplemented) {
        habits.readsBulk = false;
        onTooOld(tooOld);
      } else {
        // Each is told for itself what is wrong.
        readEach();
      }
    });
  }

  #take(index: number, answer: DataAnswer): void {
    const path = this.paths[index];
    this.#set[index]?.(typeof answer === 'number' ? serverError(answer, { op, path }) : answer);
  }
}
