import { effectiveDefaults } from './backendContext.js';
import type { Outline, ServiceOutline } from './outline.js';
import type { Section } from '../types.js';

/** What only a new file changes of a state. */
export interface Structure {
  readonly base: readonly Section[];
  readonly services: Outline;
  readonly sharedFrontend: Section | undefined;
}

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

/** True when a section of a state has this name. */
export function isNameTaken({ base, services }: Structure, name: string): boolean {
  return (
    base.some(({ title }) => title.split(/\s+/)[1] === name) ||
    services.some(({ backend }) => backend.name === name)
  );
}

/**
 * Answers why a stick counter is not free in a backend, if so: another line uses it, on the way of a request to it.
 * What is tracked first stays, so that counts of ours would go into that table.
 */
export function counterUse(
  { base, services, sharedFrontend }: Structure,
  counter: number,
): (backend: ServiceOutline['backend']) => string | undefined {
  const everywhere = (reason: string) => (): string => reason;
  if (uses(effectiveDefaults(base), counter))
    return everywhere(`lines of defaults use stick counter ${counter}`);
  const led = new Map<string, string>();
  const frontends = [
    ...base.filter(({ title }) => /^(frontend|listen)\s/.test(title)),
    ...(sharedFrontend === undefined ? [] : [sharedFrontend]),
    ...services.flatMap(({ frontend }) => frontend ?? []),
  ];
  for (const section of frontends) {
    if (!uses(section.lines, counter)) continue;
    const reason = `lines of ${section.title} use stick counter ${counter}`;
    const names = leadsTo(section);
    if (names === undefined) return everywhere(reason);
    for (const name of names) led.set(name, reason);
  }
  return ({ name, lines }) =>
    uses(lines, counter) ? `lines of its backend use stick counter ${counter}` : led.get(name);
}
