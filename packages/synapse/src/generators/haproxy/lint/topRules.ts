import type { Finding } from '../../../catalog/types.js';
import type { LintInput } from './input.js';
import { linesAt, retiredFinding, scalarFindings } from './serviceRules.js';

type Raw = Readonly<Record<string, unknown>>;

/** Titles of the sections whose lines are those of proxies. */
const proxy = /^\s*(frontend|backend|listen|defaults)\b/;

function isMapping(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What the top-level block does, and does not seem to do. */
export function topFindings(input: LintInput): readonly Finding[] {
  const { raw, config } = input;
  if (!isMapping(raw)) return [];
  const sections = isMapping(raw.extra_sections) ? raw.extra_sections : {};
  const inSections = Object.keys(sections).flatMap((title) =>
    linesAt(sections, title).map(({ path, line }) => ({ path: ['extra_sections', ...path], line })),
  );
  const ofProxies = inSections.filter(({ path }) => proxy.test(String(path[1])));
  const lines = ['defaults', 'shared_frontend'].flatMap((key) => linesAt(raw, key));
  return [
    ...scalarFindings(raw, ['global', 'defaults', 'shared_frontend']),
    ...[...lines, ...ofProxies].flatMap(({ path, line }) => retiredFinding(path, line)),
    ...linesAt(raw, 'global').flatMap(masterFinding),
    ...nameFindings(Object.keys(sections), input),
    ...staticServers(inSections),
    ...checkFindings(config.doChecks && config.doReloads),
  ];
}

/** One for each section, at its first server. */
function staticServers(
  lines: readonly { readonly path: readonly PropertyKey[]; readonly line: string }[],
): readonly Finding[] {
  const first = new Map<PropertyKey | undefined, readonly PropertyKey[]>();
  for (const { path, line } of lines)
    if (/^\s*server\s/.test(line) && !first.has(path[1])) first.set(path[1], path);
  return [...first.values()].map((path) => ({
    path,
    message:
      "Ruby's synapse disables servers of extra_sections at each change; ours leaves them alone. They come to life with the migration, and end with the way back",
    severity: 'warning',
  }));
}

/** Master mode is for the command line: 3.3 warns of this one, 3.5 refuses it. */
function masterFinding({ path, line }: ReturnType<typeof linesAt>[number]): readonly Finding[] {
  if (line.trim() !== 'master-worker') return [];
  const message =
    'HAProxy 3.5 and later refuse `master-worker` without exit-on-failure: remove it; our unit, and synapse where it runs HAProxy itself, say -W on the command line';
  return [{ path, message, severity: 'warning' }];
}

/** Sections of the operator that share a name with another kind of section, which is refused from 3.3 on. */
function nameFindings(titles: readonly string[], { services }: LintInput): readonly Finding[] {
  // Frontends of services are renamed for such an HAProxy; their backends are not.
  const holders = new Map<string, string>();
  for (const [service, block] of services) {
    const { disabled, backend_name: name } = Object(block) as Raw;
    if (disabled !== true) holders.set(typeof name === 'string' ? name : service, `backend of ${service}`);
  }
  return titles.flatMap((title): readonly Finding[] => {
    const [kind = '', name] = title.trim().split(/\s+/);
    if (name === undefined || !proxy.test(title)) return [];
    const other = holders.get(name);
    const mine = `${kind} ${name}`;
    if (other === undefined) holders.set(name, mine);
    // Two of one kind no HAProxy takes, which is said elsewhere.
    const otherKind = other?.split(' ')[0];
    const [both, otherBoth] = [kind === 'listen', otherKind === 'listen'];
    if (other === undefined || otherKind === kind) return [];
    if ((both && otherKind !== 'defaults') || (otherBoth && kind !== 'defaults')) return [];
    const message = `HAProxy 3.3 and later refuse a ${kind} called as another section is (${other}): rename it, and whatever names it`;
    return [{ path: ['extra_sections', title], message, severity: 'warning' }];
  });
}

function checkFindings(checksAndReloads: boolean): readonly Finding[] {
  return checksAndReloads
    ? [
        {
          path: ['do_checks'],
          message:
            "Where check_command fails the old file stays, and Ruby's synapse may reload all the same; ours reloads for a new file only. Without do_checks, ours has `haproxy -c` check every file",
          severity: 'warning',
        },
      ]
    : [];
}
