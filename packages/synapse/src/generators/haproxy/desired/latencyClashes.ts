import { isTier, ownerOf } from './tierNames.js';
import { effectiveDefaults } from './backendContext.js';
import { latencyTable, longestBackend } from './latencyTable.js';
import { Memo } from './memo.js';
import { type Outline, outlineOf } from './outline.js';
import type { DesiredState, LatencySettings, Section } from '../types.js';

/** Lines that use a stick counter: they track with it, read it, or change what it tracks. */
function usersOf(counter: number): RegExp {
  return new RegExp(
    String.raw`\btrack-sc${counter}\b|\bsc${counter}_\w|\bsc-(?:inc|set|add)-gp[ct]\d?\((?:[^)]*,)?\s*${counter}\)|\bsc_\w+\((?:[^)]*,)?\s*${counter}[,)]`,
  );
}

/** The lines of a section are values: each list is read once for each counter. */
const known = new WeakMap<readonly string[], Map<number, boolean>>();

function uses(lines: readonly string[], counter: number): boolean {
  const before = known.get(lines) ?? new Map<number, boolean>();
  known.set(lines, before);
  const answer = before.get(counter);
  if (answer !== undefined) return answer;
  const pattern = usersOf(counter);
  const found = lines.some((line) => pattern.test(line));
  before.set(counter, found);
  return found;
}

/** The backends to which a frontend leads; undefined when it may be any. */
function leadsTo({ lines }: Section): readonly string[] | undefined {
  const names = lines.flatMap((line) => /^\s*(?:use_backend|default_backend)\s+(\S+)/.exec(line)?.[1] ?? []);
  return names.some((name) => name.includes('%[')) ? undefined : names;
}

const clashes = new Memo<Outline, ReadonlyMap<string, string>>();

/**
 * Why latencies of services cannot be counted, by the service or tier whose backend it is: another line uses the stick
 * counter, on the way of a request to it. What is tracked first stays, so that our counts would go into that table.
 */
export function clashesOf(
  { base, services, sharedFrontend }: DesiredState,
  settings: LatencySettings,
): ReadonlyMap<string, string> {
  const outline = outlineOf(services);
  return clashes.of(outline, [base, sharedFrontend?.title, sharedFrontend?.lines, settings], () =>
    findClashes(base, outline, sharedFrontend, settings),
  );
}

function findClashes(
  base: DesiredState['base'],
  services: Outline,
  sharedFrontend: Section | undefined,
  { stickCounter, except }: LatencySettings,
): ReadonlyMap<string, string> {
  const leftOut = new Set(except);
  const wanted = services.filter(({ service }) => !leftOut.has(ownerOf(service)));
  const all = (reason: string): ReadonlyMap<string, string> =>
    new Map(wanted.map(({ service }) => [service, reason]));
  const taken = [
    ...base.map(({ title }) => title),
    ...services.map(({ backend }) => `backend ${backend.name}`),
  ];
  if (taken.some((title) => title.split(/\s+/)[1] === latencyTable))
    return all(`there is already a section ${latencyTable}`);
  if (uses(effectiveDefaults(base), stickCounter))
    return all(`lines of defaults use stick counter ${stickCounter}`);
  const led = new Map<string, string>();
  const frontends = [
    ...base.filter(({ title }) => /^(frontend|listen)\s/.test(title)),
    ...(sharedFrontend === undefined ? [] : [sharedFrontend]),
    ...services.flatMap(({ frontend }) => frontend ?? []),
  ];
  for (const section of frontends) {
    if (!uses(section.lines, stickCounter)) continue;
    const reason = `lines of ${section.title} use stick counter ${stickCounter}`;
    const names = leadsTo(section);
    if (names === undefined) return all(reason);
    for (const name of names) led.set(name, reason);
  }
  return new Map(
    wanted.flatMap(({ service, backend: { name, lines } }): [string, string][] => {
      if (uses(lines, stickCounter))
        return [[service, `lines of its backend use stick counter ${stickCounter}`]];
      if (name.length > longestBackend)
        return [[service, `the name of its backend is longer than ${longestBackend}`]];
      const reason = led.get(name);
      return reason === undefined ? [] : [[service, reason]];
    }),
  );
}

/** How each reason begins. */
export const notCounted = 'latencies are not counted: ';

/** For people: services that should be counted and cannot be, each with the way out. */
export function clashReasons(
  state: DesiredState,
  settings: LatencySettings | undefined,
): readonly { readonly service: string; readonly reason: string }[] {
  if (settings === undefined) return [];
  return [...clashesOf(state, settings)].flatMap(([service, why]) => {
    if (isTier(service)) return [];
    const wayOut = why.includes('stick counter')
      ? '; `traffic.stick_counter` in agent.yaml may name a free one, and `latencies: false` in its haproxy block does without'
      : '';
    return [{ service, reason: `its ${notCounted}${why}${wayOut}` }];
  });
}
