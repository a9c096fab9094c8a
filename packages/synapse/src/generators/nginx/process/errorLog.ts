import { open, stat } from 'node:fs/promises';

/** So much of what nginx logs during one reload is read, in bytes. */
const maxBytes = 65_536;

/** What nginx writes into its error_log from now on. */
export class ErrorLog {
  readonly #file: string | undefined;
  readonly #from: number;

  private constructor(file: string | undefined, from: number) {
    this.#file = file;
    this.#from = from;
  }

  static async from(file: string | undefined): Promise<ErrorLog> {
    const size =
      file === undefined
        ? 0
        : await stat(file).then(
            (found) => found.size,
            () => 0,
          );
    return new ErrorLog(file, size);
  }

  /** Why nginx gave a reload up; undefined as long as it did not say so. */
  async failure(): Promise<string | undefined> {
    const lines = (await this.#read()).split('\n').filter((line) => line.includes('[emerg]'));
    // It tries to listen for some seconds.
    const isOver = lines.some(
      (line) => !/ bind\(\) to .* failed/.test(line) || line.includes('still could not bind'),
    );
    return isOver ? lines.join('\n') : undefined;
  }

  async #read(): Promise<string> {
    if (this.#file === undefined) return '';
    const handle = await open(this.#file).catch(() => undefined);
    try {
      const read = await handle?.read(Buffer.alloc(maxBytes), 0, maxBytes, this.#from);
      return read === undefined ? '' : read.buffer.toString('utf8', 0, read.bytesRead);
    } catch {
      return '';
    } finally {
      await handle?.close();
    }
  }
}
