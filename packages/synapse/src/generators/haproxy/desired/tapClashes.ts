import { backendContext, effectiveDefaults } from './backendContext.js';
import { ownFormat, ownLevel, ownLog } from './tapLogs.js';
import { Memo } from './memo.js';
import { type Outline, outlineOf, type ServiceOutline } from './outline.js';
import { isTapSection, tapName } from './tapNames.js';
import { isTier, ownerOf } from './tierNames.js';
import type { DesiredState, TapSettings } from '../types.js';

/** Which lines of the frame say how requests are logged. */
interface Frame {
  readonly global: readonly string[];
  readonly defaults: readonly string[];
}

/** What stands in the way within lines that are values: found once for each list. */
const known = new WeakMap<readonly string[], { readonly frame: Frame; readonly found: string | undefined }>();

const reasons = {
  tcp: 'it is in mode tcp: HAProxy can be silent about HTTP requests only',
  off: '`tap: false` of its block',
  noFrontend: 'it has no frontend of its own',
  notOn: '`traffic.tap` is not on (agent.yaml)',
} as const;

const meant: ReadonlySet<string> = new Set(Object.values(reasons));

/** Whether a service cannot be tapped because its operator has it so: nothing stands in the way of what he wants. */
export function isMeant(reason: string): boolean {
  return meant.has(reason);
}

function inFrontend(lines: readonly string[], frame: Frame): string | undefined {
  const { global, defaults } = frame;
  if (!backendContext(defaults, lines).http) return reasons.tcp;
  const log = ownLog(global, defaults, lines);
  if (log !== undefined) {
    const where = lines.some((line) => line.trim() === log) ? 'its' : "defaults'";
    return `${where} \`${log}\` has requests logged, which the tap would silence; with \`no log\` in its \`frontend\` it can be tapped, and is not logged`;
  }
  const format = ownFormat(lines);
  if (format !== undefined) return `its \`${format}\` says how requests are logged`;
  const level = ownLevel(lines);
  return level === undefined ? undefined : `its \`${level}\` says which requests are logged`;
}

function cached(lines: readonly string[], frame: Frame): string | undefined {
  const before = known.get(lines);
  if (before?.frame === frame) return before.found;
  const found = inFrontend(lines, frame);
  known.set(lines, { frame, found });
  return found;
}

/** Frames by the sections that they come from. */
const frames = new WeakMap<DesiredState['base'], Frame>();

function frameOf(base: DesiredState['base']): Frame {
  const before = frames.get(base);
  if (before !== undefined) return before;
  const global = base.filter(({ title }) => title === 'global').flatMap(({ lines }) => lines);
  const frame = { global, defaults: effectiveDefaults(base) };
  frames.set(base, frame);
  return frame;
}

/** The same of the levels in lines. */
const levels = new WeakMap<readonly string[], { readonly level: string | undefined }>();

function levelOf(lines: readonly string[]): string | undefined {
  const before = levels.get(lines);
  if (before !== undefined) return before.level;
  const level = ownLevel(lines);
  levels.set(lines, { level });
  return level;
}

function levelIn(family: readonly ServiceOutline[]): string | undefined {
  const level = family.map(({ backend }) => levelOf(backend.lines)).find((line) => line !== undefined);
  return level === undefined ? undefined : `its \`${level}\` says which requests are logged`;
}

const obstacles = new Memo<Outline, ReadonlyMap<string, string>>();

/** Why services cannot be tapped, by their names; those that can are not in it. */
export function tapObstacles(
  { base, services }: DesiredState,
  settings: TapSettings,
): ReadonlyMap<string, string> {
  const outline = outlineOf(services);
  return obstacles.of(outline, [base, settings], () => findObstacles(base, outline, settings));
}

function findObstacles(
  base: DesiredState['base'],
  services: Outline,
  { except }: TapSettings,
): ReadonlyMap<string, string> {
  const frame = frameOf(base);
  const isTaken =
    base.some(({ title }) => title.trim().split(/\s+/)[1] === tapName) ||
    services.some(({ backend }) => backend.name === tapName);
  const level = ownLevel(frame.defaults);
  const everywhere = isTaken
    ? `there is already a section ${tapName}`
    : level === undefined
      ? undefined
      : `defaults' \`${level}\` says which requests are logged`;
  const families = new Map<string, ServiceOutline[]>();
  for (const each of services) {
    const owner = ownerOf(each.service);
    const family = families.get(owner);
    if (family === undefined) families.set(owner, [each]);
    else family.push(each);
  }
  const off = new Set(except);
  return new Map(
    services.flatMap(({ service, frontend }): [string, string][] => {
      if (isTier(service)) return [];
      const found = off.has(service)
        ? reasons.off
        : frontend === undefined
          ? reasons.noFrontend
          : (everywhere ?? cached(frontend.lines, frame) ?? levelIn(families.get(service) ?? []));
      return found === undefined ? [] : [[service, found]];
    }),
  );
}

type Reasons = (service: string) => string;

const whys = new Memo<Outline, Reasons>();

/** For people: why a service of a state has no lines of the tap. The very same as long as the answers are. */
export function whyNotTapped(
  { base, services, tap }: DesiredState,
  { tap: isWanted }: { readonly tap: boolean },
): Reasons {
  const outline = outlineOf(services);
  return whys.of(outline, [base, tap, isWanted], () => {
    let found: ReadonlyMap<string, string> | undefined;
    return (service) => {
      if (!isWanted) return reasons.notOn;
      if (tap === undefined) return 'HAProxy can be tapped from 2.6 on';
      found ??= findObstacles(
        base.filter((section) => !isTapSection(section)),
        outline,
        tap,
      );
      return found.get(service) ?? 'HAProxy does not take the lines of the tap';
    };
  });
}
