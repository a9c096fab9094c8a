import { createHash } from 'node:crypto';
import { nowhere } from '../../../catalog/locality.js';
import type { BlockIssue } from '../../../catalog/types.js';
import { type ReadBlock, readBlock } from '../../blocks.js';
import type { HostSettings } from '../../types.js';
import { type HaproxyConfig, haproxySchema } from './schema.js';
import { type HaproxyServiceConfig, haproxyServiceSchema } from './serviceSchema.js';

/** Ruby's synapse reads this key nowhere but at the top level. */
function unknownKey(key: string): string | undefined {
  return key === 'use_nerve_weights'
    ? 'works only at the top level, whatever the README of the Ruby pair says; ignored here as it was there'
    : undefined;
}

/** A seed that is the same at every start of this host, and another on the next host. */
export function seedOfHost(hostname: string): bigint {
  return BigInt(`0x${createHash('sha1').update(hostname).digest('hex').slice(0, 8)}`);
}

/**
 * Reads the top-level `haproxy` block for a host of these settings. Without `server_order_seed` the seed comes from `hostname`, so
 * that hosts differ in which server they try first but each keeps its order across restarts.
 */
export function readHaproxyBlock(
  block: unknown,
  hostname: string,
  { location = nowhere, traffic }: HostSettings = {},
): ReadBlock<HaproxyConfig> {
  // `haproxy:` with nothing below it asks for the presets.
  const { config, issues } = readBlock(haproxySchema, block ?? {}, unknownKey);
  const seeded =
    typeof block === 'object' &&
    block !== null &&
    (block as Record<string, unknown>).server_order_seed !== undefined;
  if (config === undefined) return { config, issues };
  const latencyCounter = traffic?.latencies === true ? traffic.stickCounter : undefined;
  const placed = { ...config, location, latencyCounter, tap: traffic?.tap === true };
  return { config: seeded ? placed : { ...placed, serverOrderSeed: seedOfHost(hostname) }, issues };
}

const cache = new WeakMap<object, ReadBlock<HaproxyServiceConfig>>();

/** Reads the `haproxy` block of a service. Blocks are values: one that was read before is not read again. */
export function readServiceBlock(block: unknown): ReadBlock<HaproxyServiceConfig> {
  if (typeof block !== 'object' || block === null) return readBlock(haproxyServiceSchema, block, unknownKey);
  const known = cache.get(block);
  if (known !== undefined) return known;
  const fresh = withHints(
    readBlock(haproxyServiceSchema, block, unknownKey),
    block as Record<string, unknown>,
  );
  cache.set(block, fresh);
  return fresh;
}

/** HAProxy counts errors only of servers that it checks, and only their checks bring them back. */
function uncheckedBreaker(
  { config }: ReadBlock<HaproxyServiceConfig>,
  block: Readonly<Record<string, unknown>>,
): readonly BlockIssue[] {
  if (config?.policy?.circuit_breaker === undefined) return [];
  const words = [block.server_options, block.listen, block.backend].flat();
  if (words.some((text) => typeof text === 'string' && /(^|\s)check(\s|$)/.test(text))) return [];
  const message = 'does nothing without `check` in server_options: only checks bring a server back';
  return [{ path: ['policy', 'circuit_breaker'], message, severity: 'warning' }];
}

/** A `balance` line of the block would say otherwise than its `balance: latency`. */
function otherBalance(block: Readonly<Record<string, unknown>>): readonly BlockIssue[] {
  if (block.balance !== 'latency') return [];
  return ['listen', 'backend'].flatMap((key) => {
    const lines: unknown = block[key];
    if (!Array.isArray(lines)) return [];
    return lines.flatMap((line: unknown, index): readonly BlockIssue[] => {
      const [, algorithm] = typeof line === 'string' ? (/^\s*balance\s+(\S+)/.exec(line) ?? []) : [];
      if (algorithm === undefined || algorithm === 'roundrobin') return [];
      const message = `\`balance: latency\` steers \`balance roundrobin\`: remove it, or this line (roundrobin may stay)`;
      return [{ path: [key, index], message, severity: 'error' }];
    });
  });
}

function withHints(
  result: ReadBlock<HaproxyServiceConfig>,
  block: Readonly<Record<string, unknown>>,
): ReadBlock<HaproxyServiceConfig> {
  const hints: BlockIssue[] = [...otherBalance(block), ...uncheckedBreaker(result, block)];
  const hint = (key: string, known: readonly string[], effect: string): void => {
    const value = block[key];
    if (typeof value !== 'string' || known.includes(value)) return;
    hints.push({ path: [key], message: `not one of ${known.join(', ')}: ${effect}`, severity: 'warning' });
  };
  hint('backend_order', ['asc', 'desc', 'no_shuffle', 'shuffle'], 'servers are shuffled');
  hint('cookie_value_method', ['hash', 'name'], 'the server name is the cookie');
  if (hints.length === 0) return result;
  const isRefused = hints.some(({ severity }) => severity === 'error');
  return { config: isRefused ? undefined : result.config, issues: [...result.issues, ...hints] };
}
