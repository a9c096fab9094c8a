import { closest } from '../config/suggest.js';

/** An answer that is not the route's: what is wrong with the request, and what to do about it. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Says that there is no such thing, and which was perhaps meant. */
export function notFound(what: string, name: string, known: readonly string[]): Refusal {
  const near = closest(name, known);
  const hint = near === undefined ? '' : `, did you mean ${JSON.stringify(near)}?`;
  return new Refusal(404, `no ${what} ${JSON.stringify(name.slice(0, 200))}${hint}`);
}
