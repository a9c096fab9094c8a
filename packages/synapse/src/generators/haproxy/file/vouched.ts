import { sameLines, sameSection } from '../desired/sameSection.js';
import type { DesiredState, Section, Server, ServiceSections } from '../types.js';

/** Lines that make servers of their own, with names and ids that nobody here knows. */
const makesServers = /^\s*server(-template)?\s/;
/** HAProxy puts a variable's value in its place where it stands in double quotes: it may be anything. */
const hasVariable = /"[^"]*\$/;
/** The names of our servers end in a port, or where they were too long in a hash. */
const serverName = /:\d{1,5}$|-[0-9a-f]{16}$/;

function sameBase(a: readonly Section[], b: readonly Section[]): boolean {
  return a === b || (a.length === b.length && a.every((section, index) => sameSection(section, b[index])));
}

/** True where the sections differ in servers alone. */
function sameStructure(a: ServiceSections, b: ServiceSections): boolean {
  return (
    a.backend.name === b.backend.name &&
    sameSection(a.frontend, b.frontend) &&
    sameLines(a.backend.lines, b.backend.lines)
  );
}

/** True where the lines have in common what is not particular to one server: the rest is good in any line like that. */
function isAlike(a: Server, b: Server): boolean {
  return (
    (a.id === undefined) === (b.id === undefined) &&
    (a.cookie === undefined) === (b.cookie === undefined) &&
    (a.weight === undefined) === (b.weight === undefined) &&
    sameLines(a.options, b.options)
  );
}

/** Names of servers that came or went; undefined where the line of one may be otherwise than any of `before`. */
function namesThatChanged(
  servers: readonly Server[],
  before: readonly Server[],
): readonly string[] | undefined {
  const known = new Map(before.map((server) => [server.name, server]));
  const names = new Set<string>();
  const ids = new Set<number>();
  for (const server of servers) {
    const { name, id } = server;
    if (names.has(name) || (id !== undefined && ids.has(id))) return undefined;
    names.add(name);
    if (id !== undefined) ids.add(id);
    if (known.get(name) !== server && !before.some((each) => isAlike(each, server))) return undefined;
  }
  const isThere = (name: string): boolean => names.has(name) && known.has(name);
  return [...names, ...known.keys()].filter((name) => !isThere(name));
}

/**
 * What was found for sections, by those that were checked and those that are compared with them. No value may hold
 * either: what was compared last is what is compared with next, and all of them would be kept for ever.
 */
const compared = new WeakMap<
  ServiceSections,
  WeakMap<ServiceSections, { readonly names: readonly string[] | undefined }>
>();

/** The same of two sections; undefined also where they differ in more than servers. */
function namesBetween(now: ServiceSections, checked: ServiceSections): readonly string[] | undefined {
  const found =
    compared.get(checked) ?? new WeakMap<ServiceSections, { names: readonly string[] | undefined }>();
  compared.set(checked, found);
  const known = found.get(now);
  if (known !== undefined) return known.names;
  const { servers, lines } = now.backend;
  // Without any server a backend is another matter.
  const isComparable =
    sameStructure(now, checked) && servers.length > 0 && !lines.some((line) => makesServers.test(line));
  const names = isComparable ? namesThatChanged(servers, checked.backend.servers) : undefined;
  found.set(now, { names });
  return names;
}

/** Words of lines that may be a server's name; undefined where they may hold any name. Lists are values: each is read once. */
const wordsOf = new WeakMap<readonly string[], { readonly words: readonly string[] | undefined }>();

function namesIn(lines: readonly string[]): readonly string[] | undefined {
  const known = wordsOf.get(lines);
  if (known !== undefined) return known.words;
  const words = lines.some((line) => hasVariable.test(line))
    ? undefined
    : lines.flatMap((line) => line.split(/[^A-Za-z0-9_.:-]+/).filter((word) => serverName.test(word)));
  wordsOf.set(lines, { words });
  return words;
}

/** Options of servers that follow another one (`track`), by backend: these name it. */
const followersOf = new WeakMap<ServiceSections['backend'], readonly (readonly string[])[]>();

function followers({ backend }: ServiceSections): readonly (readonly string[])[] {
  const known = followersOf.get(backend);
  if (known !== undefined) return known;
  const found = backend.servers.flatMap(({ options }) => (options.includes('track') ? [options] : []));
  followersOf.set(backend, found);
  return found;
}

/** All lines of the file in which a server of another line may be meant. */
function* linesThatMayMean({ base, services, sharedFrontend }: DesiredState): Iterable<readonly string[]> {
  for (const { lines } of base) yield lines;
  if (sharedFrontend !== undefined) yield sharedFrontend.lines;
  for (const sections of services) {
    if (sections.frontend !== undefined) yield sections.frontend.lines;
    yield sections.backend.lines;
    yield* followers(sections);
  }
}

/**
 * True when what HAProxy said of `checked`, which it accepted, holds for `now` as well: it differs in lines of servers
 * alone, whose words all stood in a line of the same backend that was accepted, so that only names, addresses, ports,
 * ids, cookies and weights are other ones, each of a form that HAProxy takes; no name or id is there twice; and no other
 * line mentions a server that came or went. Costs little where most sections are the very same values.
 */
export function isVouchedFor(now: DesiredState, checked: DesiredState): boolean {
  const { services } = now;
  if (services.length !== checked.services.length || !sameBase(now.base, checked.base)) return false;
  if (!sameSection(now.sharedFrontend, checked.sharedFrontend)) return false;
  const changed = new Set<string>();
  for (const [index, sections] of services.entries()) {
    const before = checked.services[index];
    if (sections === before) continue;
    const names = before && namesBetween(sections, before);
    if (names === undefined) return false;
    for (const name of names) changed.add(name);
  }
  if (changed.size === 0) return true;
  for (const lines of linesThatMayMean(now)) {
    const names = namesIn(lines);
    if (names === undefined || names.some((name) => changed.has(name))) return false;
  }
  return true;
}
