import type { Finding } from '../../../catalog/types.js';
import type { LintInput } from './input.js';
import { linesAt, retiredFinding, scalarFindings } from './serviceRules.js';

type Raw = Readonly<Record<string, unknown>>;

function isMapping(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What the top-level block does, and does not seem to do. */
export function topFindings({ raw, config }: LintInput): readonly Finding[] {
  if (!isMapping(raw)) return [];
  const sections = isMapping(raw.extra_sections) ? raw.extra_sections : {};
  const inSections = Object.keys(sections).flatMap((title) =>
    linesAt(sections, title).map(({ path, line }) => ({ path: ['extra_sections', ...path], line })),
  );
  const lines = ['global', 'defaults', 'shared_frontend'].flatMap((key) => linesAt(raw, key));
  return [
    ...scalarFindings(raw, ['global', 'defaults', 'shared_frontend']),
    ...[...lines, ...inSections].flatMap(({ path, line }) => retiredFinding(path, line)),
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
