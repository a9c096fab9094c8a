import { type BackendContext, backendContext, effectiveDefaults } from './backendContext.js';
import { steerLine } from '../balance/weights.js';
import { type SortedLines, sortLines } from './keywords.js';
import { Memo } from './memo.js';
import { policyLines, withPolicyLines } from './policyLines.js';
import type { HaproxyConfig } from '../block/schema.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import { ServerDrafts } from './serverLine.js';

/** What a service's block comes to, whoever its instances are. */
export interface ServiceLines {
  readonly sorted: SortedLines;
  readonly backend: BackendContext;
}

/** Blocks are values: each is read once, and again with another top-level block. */
const known = new Memo<HaproxyServiceConfig, ServiceLines>();
/** The same for server lines, which follow from addresses of host names, too. */
const drafts = new Memo<HaproxyServiceConfig, ServerDrafts>();

/** With the lines that settings of the block stand for. */
function withOwnLines(
  sorted: SortedLines,
  service: HaproxyServiceConfig,
  { base }: HaproxyConfig,
): SortedLines {
  const { byLatency, policy } = service;
  if (!byLatency && policy === undefined) return sorted;
  const { http } = backendContext(effectiveDefaults(base), sorted.backend);
  const { lines, warnings } = policy === undefined ? { lines: [], warnings: [] } : policyLines(policy, http);
  const backend = withPolicyLines(sorted.backend, lines);
  const told = [...sorted.warnings, ...warnings];
  if (!byLatency) return { ...sorted, backend, warnings: told };
  if (!http) return { ...sorted, backend, warnings: [...told, needsHttp] };
  const others = backend.filter((line) => !/^\s*balance\s/.test(line));
  return { ...sorted, backend: [...others, steerLine], warnings: told };
}

const needsHttp = 'balance: latency needs `mode http`: it balances as without it';

/** The lines of a service's sections: the same values for the same blocks. */
export function serviceLines(service: HaproxyServiceConfig, config: HaproxyConfig): ServiceLines {
  return known.of(service, [config], () => {
    const sorted = withOwnLines(sortLines(service, config.sectionKeywords), service, config);
    return { sorted, backend: backendContext(effectiveDefaults(config.base), sorted.backend) };
  });
}

/** The place for lines of a service's servers that were made of these. */
export function serviceDrafts(
  service: HaproxyServiceConfig,
  config: HaproxyConfig,
  addresses: ReadonlyMap<string, string>,
): ServerDrafts {
  return drafts.of(service, [config, addresses], () => new ServerDrafts());
}
