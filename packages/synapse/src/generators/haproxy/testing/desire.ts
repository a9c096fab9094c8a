import type { Instance } from '@smartstack/registry';
import type { Location } from '../../../catalog/locality.js';
import type { ServiceView } from '../../../catalog/types.js';
import { readHaproxyBlock } from '../block/blocks.js';
import { desiredState, type DesiredResult } from '../desired/desired.js';
import { emptyMemory, type Memory } from '../desired/memory.js';
import { withPrepared } from '../desired/prepared.js';
import { renderServer } from '../desired/render.js';
import type { DesiredState } from '../types.js';

/** When tests happen, in milliseconds since the epoch. */
export const at = 1_000_000_000_000;
const noAddresses: ReadonlyMap<string, string> = new Map();

/** A live service `web` with this block. */
export function aView(
  instances: readonly Instance[],
  haproxy: unknown = {},
  overrides: Partial<ServiceView> = {},
): ServiceView {
  return { name: 'web', source: 'live', instances, blocks: { haproxy }, ...overrides };
}

interface Given {
  readonly top?: unknown;
  readonly memory?: Memory;
  readonly addresses?: ReadonlyMap<string, string>;
  readonly now?: number;
  readonly lastGood?: DesiredState;
  /** Where this host is. */
  readonly location?: Location;
}

/** The outcome for these services under our presets, or the top-level block given. Throws when that has issues. */
export function desire(views: readonly ServiceView[], given: Given = {}): DesiredResult {
  const { top = { stats: false }, memory = emptyMemory, addresses = noAddresses, now = at } = given;
  const { config, issues } = readHaproxyBlock(top, 'h', given.location && { location: given.location });
  if (config === undefined || issues.length > 0) throw new Error(JSON.stringify(issues));
  const view = withPrepared({ services: views }, config);
  return desiredState(config, view, memory, addresses, now, { lastGood: given.lastGood });
}

/** The server lines of the first service. */
export function lines({ desired }: DesiredResult): readonly string[] {
  return desired.services[0]?.backend.servers.map(renderServer) ?? [];
}

/** The instance 10.0.0.`last`:80. */
export const instance = (last: number, rest: Partial<Instance> = {}): Instance => ({
  host: `10.0.0.${last}`,
  port: 80,
  ...rest,
});
