import { connect, type Socket } from 'node:net';
import { describeError } from '@smartstack/agent';
import { tapName } from '../desired/tapNames.js';
import { parseTapLine, type TapLine } from './tapLine.js';

/** Who hears of what a ring holds. */
export interface RingListener {
  line(line: TapLine): void;
  /** All that came at once was told. */
  turn(): void;
  /** It is over: HAProxy ended, or has no such ring. */
  closed(reason: string): void;
}

/** Longest line that is waited for, in characters: no line of ours is so long. */
const maxLine = 65_536;

/** Follows the ring of one worker, from now on, over a connection of its own. */
export class RingReader {
  readonly #socket: Socket;
  readonly #listener: RingListener;
  #rest = '';
  #said = '';
  #isClosed = false;

  constructor(path: string, listener: RingListener) {
    this.#listener = listener;
    this.#socket = connect({ path });
    // Escaped as they are, lines have no others.
    this.#socket.setEncoding('latin1');
    // -n: nothing of before; -w: on and on.
    this.#socket.on('connect', () => this.#socket.write(`show events ${tapName} -n -w\n`));
    this.#socket.on('data', (chunk: string) => this.#onData(chunk));
    this.#socket.on('error', (error) => this.#end(describeError(error)));
    this.#socket.on('end', () => this.#end(this.#said === '' ? 'HAProxy has ended' : this.#said));
    this.#socket.on('close', () => this.#end('the connection is closed'));
  }

  /** Hangs up; `closed` is not called any more. */
  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #onData(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > maxLine) this.#rest = '';
    for (const text of lines) {
      const line = parseTapLine(text);
      if (line !== undefined) this.#listener.line(line);
      // What HAProxy says of a ring that it does not have, or of lines that it dropped: those are counted.
      else if (text !== '') this.#said = text.trim().slice(0, 200);
    }
    this.#listener.turn();
  }

  #end(reason: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#listener.closed(reason);
  }
}
