import * as z from 'zod';

/** Where a server listens: `host:port`, an IPv6 address in brackets. */
export const hostAndPort = z
  .string()
  .regex(/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/, 'expected host:port')
  .refine((text) => {
    const number = Number(text.slice(text.lastIndexOf(':') + 1));
    return number >= 1 && number <= 65_535;
  }, 'expected a port from 1 to 65535');
