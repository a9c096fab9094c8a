import { type Option, parseOptions, splitWords } from './options.js';
import type { DesiredState, Section } from '../types.js';

/** What HAProxy will make of a backend's lines, with those of the `defaults` section it inherits. */
export interface BackendContext {
  readonly http: boolean;
  /** True when servers may have cookies that mean something. */
  readonly cookie: boolean;
  /** Why this backend takes no servers at run time (its load balancing), or undefined when it does. */
  readonly staticBalance: string | undefined;
  /** Options of every `default-server` line, which `add server` does not apply by itself. */
  readonly defaultServer: readonly Option[];
  /** Servers that a `use-server` line points to: HAProxy does not delete them. */
  readonly pinned: ReadonlySet<string>;
  /** True for a backend that is switched off by a `disabled` line. */
  readonly disabled: boolean;
}

type Words = readonly (readonly string[])[];

/** Many backends share their defaults, and each is looked at more than once. */
const known = new WeakMap<readonly string[], Words>();

/** The lines that matter here: most are rules, which would take far longer to be split into words. */
const telling = /^\s*(mode|cookie|balance|hash-type|default-server|use-server)\s/;

function wordsOf(lines: readonly string[]): Words {
  const before = known.get(lines);
  if (before !== undefined) return before;
  const words = lines.filter((line) => telling.test(line)).map((line) => splitWords(line.trim()));
  known.set(lines, words);
  return words;
}

/** True for a `defaults` section, with or without a name. */
export function isDefaults({ title }: Pick<Section, 'title'>): boolean {
  return /^defaults(\s|$)/.test(title);
}

/** Lines of the `defaults` section that applies to what follows the base sections. */
export function effectiveDefaults(base: DesiredState['base']): readonly string[] {
  return base.findLast(isDefaults)?.lines ?? [];
}

function lastWords(lines: Words, keyword: string): readonly string[] | undefined {
  return lines.findLast((words) => words[0] === keyword)?.slice(1);
}

/** Algorithms that place servers on a map, unless the hash is consistent. */
const mapBased = /^(source|uri|url_param|hdr|hdr\(.*|rdp-cookie|rdp-cookie\(.*|hash)$/;

function staticBalance(lines: Words): string | undefined {
  const [algorithm = 'roundrobin'] = lastWords(lines, 'balance') ?? [];
  if (algorithm === 'static-rr') return 'balance static-rr';
  const [hashType] = lastWords(lines, 'hash-type') ?? [];
  return mapBased.test(algorithm) && hashType !== 'consistent'
    ? `balance ${algorithm} without hash-type consistent`
    : undefined;
}

/** Reads what matters for servers out of a backend's lines and those of the defaults section above it. */
export function backendContext(defaults: readonly string[], lines: readonly string[]): BackendContext {
  const words = [...wordsOf(defaults), ...wordsOf(lines)];
  const http = lastWords(words, 'mode')?.[0] === 'http';
  return {
    http,
    // HAProxy refuses cookies of servers in other modes.
    cookie: http && lastWords(words, 'cookie') !== undefined,
    staticBalance: staticBalance(words),
    defaultServer: words.flatMap(([keyword, ...rest]) =>
      keyword === 'default-server' ? parseOptions(rest) : [],
    ),
    pinned: new Set(words.flatMap(([keyword, name]) => (keyword === 'use-server' && name ? [name] : []))),
    disabled: lines.some((line) => line.trim() === 'disabled'),
  };
}

/** True when `global` says that servers' certificates are not verified unless asked. */
export function verifiesNoServers(base: readonly Section[]): boolean {
  return base.some(
    ({ title, lines }) =>
      title === 'global' && lines.some((line) => /^\s*ssl-server-verify\s+none\b/.test(line)),
  );
}
