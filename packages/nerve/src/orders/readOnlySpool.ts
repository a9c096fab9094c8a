import { Spool } from './spool.js';

const refusal = 'a shadow writes nothing';

/** The spool of another nerve: what is ordered there counts, and nothing is ever written. */
export class ReadOnlySpool extends Spool {
  override prepare(): Promise<void> {
    return Promise.resolve();
  }

  override write(): Promise<never> {
    return Promise.reject(new Error(refusal));
  }

  override setAside(): Promise<never> {
    return Promise.reject(new Error(refusal));
  }
}
