/** One entry of the stick table: what a service's budget of retries came to in one worker. */
export interface BudgetRow {
  readonly service: string;
  /** Requests in the window. */
  readonly requests: number;
  /** Further attempts of them. */
  readonly retries: number;
  /** Requests so far that failed and were not tried again, for the budget was spent. */
  readonly withheld: number;
}

/**
 * One line of `show table`: `0x55d: key=web use=0 exp=9 … gpc0_rate(10000)=3 http_req_rate(10000)=9 gpc1=0`. Undefined
 * for the header, 'malformed' for what is no entry of ours.
 */
export function readBudgetRow(line: string): BudgetRow | undefined | 'malformed' {
  if (line === '' || line.startsWith('# table:')) return undefined;
  const service = / key=(\S+) use=/.exec(line)?.[1];
  const field = (name: string): number =>
    Number(new RegExp(` ${name}(?:\\(\\d+\\))?=(\\d+)(?: |$)`).exec(line)?.[1] ?? Number.NaN);
  const [requests, retries, withheld] = [field('http_req_rate'), field('gpc0_rate'), field('gpc1')];
  if (service === undefined || ![requests, retries, withheld].every(Number.isFinite)) return 'malformed';
  return { service, requests, retries, withheld };
}
