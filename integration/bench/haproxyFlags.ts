import type { HaproxyOptions } from '../load/system.ts';

/** Flags that every scenario takes, for `parseArgs`; the seed is of the time unless given. */
export const haproxyFlags = () => ({
  haproxies: { type: 'string' as const, default: '1' },
  freeze: { type: 'string' as const, default: '0' },
  seed: { type: 'string' as const, default: String(Date.now() % 2 ** 31) },
});

/** What they mean; prints them, so that a run can be repeated. */
export function haproxyOptions(
  flags: Readonly<Record<'haproxies' | 'freeze' | 'seed', string>>,
): HaproxyOptions & { readonly seed: number } {
  const { haproxies, freeze, seed } = flags;
  console.log(`seed ${seed}, ${haproxies} HAProxy, still for ${freeze} s`);
  return { haproxies: haproxies === '2' ? 2 : 1, freezeMs: Number(freeze) * 1_000, seed: Number(seed) };
}
