import { dirname } from 'node:path';
import { type Clock, systemClock, within } from '@smartstack/agent';

/** How long a reading of the configuration waits for files that one question is about, in milliseconds. */
export const patienceMs = 3_000;
/** Reading files keeps one of four threads busy each; what hangs must leave some to everything else. */
const maxHung = 2;

/** A look at files that is under way. */
interface Look {
  readonly directories: ReadonlySet<string>;
  readonly answer: Promise<string | undefined>;
  /** It took longer than anybody waits. */
  isHung: boolean;
}

/** Looks that are under way, by question, over all readings: what hangs is not begun anew each time. */
export type Looks = Map<string, Look>;
const allLooks: Looks = new Map();

/**
 * What is wrong with the files that a configuration names, for one reading of it: thousands of services name the same
 * few. A network file system may hang, which is then the trouble of who needs it, and holds up nobody else for long.
 */
export class Asked {
  readonly #clock: Clock;
  readonly #looks: Looks;
  readonly #answers = new Map<string, Promise<string | undefined>>();
  readonly #hangs = new Set<string>();
  #over: Promise<void> | undefined;

  constructor(clock: Clock = systemClock, looks: Looks = allLooks) {
    this.#clock = clock;
    this.#looks = looks;
  }

  /** Whether this is an answer of `ask` that says no more than that files could not be looked at. */
  isHang(answer: string): boolean {
    return this.#hangs.has(answer);
  }

  /** Resolves when a look has ended for which nobody waited: it is worth asking again. Undefined where none hangs. */
  get over(): Promise<void> | undefined {
    return this.#over;
  }

  /**
   * What `look` says is wrong with `files`, undefined where nothing is: each question is asked once. Says so where it
   * takes longer than three seconds, and at once while another look into the same directory does. Rejects as `look` does.
   */
  ask(
    question: string,
    files: readonly string[],
    look: () => Promise<string | undefined>,
  ): Promise<string | undefined> {
    const answer = this.#answers.get(question) ?? this.#ask(question, files, look);
    this.#answers.set(question, answer);
    return answer;
  }

  async #ask(
    question: string,
    files: readonly string[],
    look: () => Promise<string | undefined>,
  ): Promise<string | undefined> {
    const directories = new Set(files.map((file) => dirname(file)));
    const inTheWay = this.#hungIn(directories);
    if (inTheWay !== undefined) return this.#noteHang(files, inTheWay);
    const going = this.#looks.get(question) ?? this.#begin(question, directories, look);
    const answer = await within(
      going.answer.then((value) => ({ value })),
      patienceMs,
      this.#clock,
    );
    if (answer !== undefined) return answer.value;
    going.isHung = true;
    return this.#noteHang(files, going);
  }

  #begin(question: string, directories: ReadonlySet<string>, look: () => Promise<string | undefined>): Look {
    const begun: Look = { directories, isHung: false, answer: look() };
    this.#looks.set(question, begun);
    const end = (): void => void this.#looks.delete(question);
    begun.answer.then(end, end);
    return begun;
  }

  #hungIn(directories: ReadonlySet<string>): Look | undefined {
    const hung = [...this.#looks.values()].filter(({ isHung }) => isHung);
    if (hung.length >= maxHung) return hung[0];
    return hung.find((each) => [...each.directories].some((directory) => directories.has(directory)));
  }

  #noteHang(files: readonly string[], { answer }: Look): string {
    const over = answer.then(
      () => undefined,
      () => undefined,
    );
    this.#over = this.#over === undefined ? over : Promise.race([this.#over, over]);
    const text =
      `${files.join(', ')}: not read within ${patienceMs / 1000} s, for the file system hangs; what runs goes on as ` +
      'it was defined before. It is read again when the file system answers; if that never does, name another file';
    this.#hangs.add(text);
    return text;
  }
}
