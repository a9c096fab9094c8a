import { type BackendContext, backendContext, effectiveDefaults } from './backendContext.js';
import { steerLine } from '../balance/weights.js';
import { type SortedLines, sortLines } from './keywords.js';
import { policyLines, withPolicyLines } from './policyLines.js';
import type { HaproxyConfig } from '../block/schema.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import { ServerDrafts } from './serverLine.js';

/** What a service's block comes to, whoever its instances are. */
interface ServiceLines {
  readonly sorted: SortedLines;
  readonly backend: BackendContext;
  /** Server lines that were made of it. */
  readonly drafts: ServerDrafts;
}

interface Known {
  readonly config: HaproxyConfig;
  readonly addresses: ReadonlyMap<string, string>;
  readonly lines: ServiceLines;
}

/** Blocks are values: each is read once, and again with another top-level block or other addresses of host names. */
const known = new WeakMap<HaproxyServiceConfig, Known>();

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

/** The lines of a service's sections, and the place for those of its servers. */
export function serviceLines(
  service: HaproxyServiceConfig,
  config: HaproxyConfig,
  addresses: ReadonlyMap<string, string>,
): ServiceLines {
  const before = known.get(service);
  if (before?.config === config && before.addresses === addresses) return before.lines;
  const sorted = withOwnLines(sortLines(service, config.sectionKeywords), service, config);
  const backend = backendContext(effectiveDefaults(config.base), sorted.backend);
  const lines = { sorted, backend, drafts: new ServerDrafts() };
  known.set(service, { config, addresses, lines });
  return lines;
}
