import type { HaproxyConfig } from '../block/schema.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import type { Section } from '../types.js';
import { callerLines, callersApart } from './callerLines.js';
import { addressesIn, bindAddresses } from './claims.js';
import { tierLines } from './tiers.js';
import { bindLine } from './wishes.js';

/** A service's own frontend, and where it is to listen. */
interface OwnFrontend {
  readonly section: Section;
  readonly addresses: readonly string[];
  /** What is wrong with its callers' addresses. */
  readonly problems: readonly string[];
}

/** Blocks are values: what the frontend of one comes to is worked out once. */
const ownFrontends = new WeakMap<
  HaproxyServiceConfig,
  { readonly of: readonly unknown[]; readonly made: OwnFrontend }
>();

/** The frontend of a service, `lines` being those that its block has for it; the same values while these are. */
export function ownFrontend(
  title: string,
  backend: string,
  service: HaproxyServiceConfig,
  lines: readonly string[],
  config: HaproxyConfig,
): OwnFrontend {
  const of = [title, backend, lines, config];
  const known = ownFrontends.get(service);
  if (known?.of.every((each, index) => each === of[index]) === true) return known.made;
  const bind = bindLine(service, config);
  const own = [...bindAddresses(lines), ...addressesIn(bind)];
  const { callers, problems } = callersApart(service, config, own);
  const more = callerLines(callers, service, config);
  const near = tierLines(service, backend, config.location);
  const section = {
    title: `frontend ${title}`,
    lines: [...lines, bind, ...more, ...near, `default_backend ${backend}`],
  };
  const made = { section, problems, addresses: [...own, ...more.flatMap(addressesIn)] };
  ownFrontends.set(service, { of, made });
  return made;
}
