import * as z from 'zod';

export { flag, integer, isOneLine, lines, nonNegative, text } from '../../fields.js';

/** Names of sections: what HAProxy accepts as a proxy's name. */
export const sectionName = /^[A-Za-z0-9_.:-]{1,255}$/;

/** An integer of any size: `md5` seeds have 128 bits, more than a JavaScript number holds. */
export const bigInteger = z
  .unknown()
  .transform((value, context): bigint => {
    if (typeof value === 'bigint') return value;
    if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
    if (typeof value === 'string' && /^-?\d{1,400}$/.test(value)) return BigInt(value);
    const message =
      typeof value === 'number' && Number.isInteger(value)
        ? 'lost digits beyond 2^53 on its way here; write it as a string'
        : 'must be an integer';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  })
  .meta({ type: ['integer', 'string'] });

const durationMessage = 'must be a duration such as 500ms, 10s, 5m or 1h';

/** HAProxy's notation of a duration: `500ms`, `10s`, `5m`, `1h`; a bare number is milliseconds. */
export const duration = z
  .union(
    [
      z.int(durationMessage).nonnegative(durationMessage),
      z.string().regex(/^\d{1,10}(us|ms|s|m|h|d)?$/, durationMessage),
    ],
    { error: durationMessage },
  )
  .transform(String);

/** What the kernel takes, and what HAProxy binds: it adds a suffix while it does. In bytes. */
const socketPathBytes = { connect: 107, bind: 97 } as const;

/** Why HAProxy's socket cannot be at `path`, which synapse connects to, and has HAProxy `bind` where it says so. */
export function socketPathProblem(path: string, use: 'connect' | 'bind'): string | undefined {
  const most = socketPathBytes[use];
  const bytes = Buffer.byteLength(path);
  return bytes > most ? `too long for the path of a socket: ${bytes} bytes, at most ${most}` : undefined;
}
