/** What the page is told of the agent that serves it. */
export interface About {
  readonly host: string;
  readonly version: string;
  /** Wall clock milliseconds; another one means that the agent was restarted. */
  readonly startedAt: number;
  /** Of the page that it serves; another one than before means that it was upgraded. */
  readonly page: string;
}

/** Requests of all services, in slots: what the small curves are drawn from. */
export interface Curves {
  readonly slotSeconds: number;
  /** Where the slots begin: wall clock milliseconds. */
  readonly begins: readonly number[];
  /** Per service the requests and the failures in each slot. */
  readonly services: Readonly<
    Record<string, { readonly requests: readonly number[]; readonly failures: readonly number[] }>
  >;
}
