import type { AdminAddress } from '@smartstack/agent';

/** Where the agent of the unit listens, in the order in which they are tried. */
export const usual: readonly AdminAddress[] = [
  { socket: '/run/nerve/nerve.sock' },
  { host: '127.0.0.1', port: 3454 },
];
