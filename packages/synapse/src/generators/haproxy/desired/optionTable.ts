import { isIPv4 } from 'node:net';
import type { Release } from '../types.js';

/** Decides whether a keyword's value is of the expected shape. */
type Shape = (value: string) => boolean;

/** What is known about one keyword of a `server` line. */
export interface OptionSpec {
  readonly args: 0 | 1;
  readonly shape?: Shape;
  /** May an instance bring it by itself? Otherwise why not (completes "names "). */
  readonly refused?: string;
  /**
   * What `add server` does with it: takes it, needs no mention of it (`moot`: it means nothing to a
   * server given by address, or restates a default), or refuses it, so that the file must bring it.
   */
  readonly runtime: 'taken' | 'moot' | 'file' | 'cookie';
  /** Its value is a duration, in milliseconds where it has no unit. */
  readonly isDuration?: true;
  /** First release whose `add server` takes it; absent: all that have the command. */
  readonly since?: Release;
}

const unitMs: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };

function durationWithin(minMs: number): Shape {
  return (value) => {
    const [, digits = '', unit = 'ms'] = /^(\d{1,12})(us|ms|s|m|h|d)?$/.exec(value) ?? [];
    const ms = digits === '' ? NaN : Number(digits) * (unitMs[unit] ?? NaN);
    // HAProxy keeps durations in 31 bits of milliseconds.
    return ms >= minMs && ms < 2 ** 31;
  };
}

function integerWithin(min: number, max: number): Shape {
  return (value) => /^-?\d{1,10}$/.test(value) && Number(value) >= min && Number(value) <= max;
}

const oneOf =
  (...values: readonly string[]): Shape =>
  (value) =>
    values.includes(value);
const listOf =
  (...values: readonly string[]): Shape =>
  (value) =>
    value.split(',').every((part) => values.includes(part));
const matches =
  (pattern: RegExp): Shape =>
  (value) =>
    pattern.test(value);

const int31 = 2 ** 31 - 1;
const hostWord = matches(/^[A-Za-z0-9_.-]{1,253}$/);
const protocols = matches(/^[A-Za-z0-9/.,-]{1,64}$/);

const flag: OptionSpec = { args: 0, runtime: 'taken' };
const mootFlag: OptionSpec = { args: 0, runtime: 'moot' };
const fileFlag: OptionSpec = { args: 0, runtime: 'file' };
const value = (shape: Shape, runtime: OptionSpec['runtime'] = 'taken'): OptionSpec => ({
  args: 1,
  shape,
  runtime,
});
const duration = (minMs: number): OptionSpec => ({ ...value(durationWithin(minMs)), isDuration: true });
const notFromRegistry = (
  refused: string,
  runtime: OptionSpec['runtime'] = 'taken',
  args: 0 | 1 = 1,
): OptionSpec => ({ args, refused, runtime });

/** A keyword that came after 2.6: `add server` takes it from `release` on, and an instance cannot know who reads it. */
const later = (release: Release, args: 0 | 1): OptionSpec => ({
  ...notFromRegistry('something that not every HAProxy knows', 'taken', args),
  since: release,
});
/** The same, where it restates a default. */
const laterMoot: OptionSpec = notFromRegistry('something that not every HAProxy knows', 'moot', 0);

const aFile = 'a file of this host';
const aHostThing = 'something that must exist on this host';
const tlsChoice = 'versions of TLS, which are for this host to choose';
const tlsVersions = ['sslv3', 'tlsv10', 'tlsv11', 'tlsv12', 'tlsv13'];

/** Keywords of a `server` line, as HAProxy's manuals from 2.6 to 3.4 list them and its `add server` treats them. */
export const optionTable: ReadonlyMap<string, OptionSpec> = new Map<string, OptionSpec>([
  ['addr', value(isIPv4)],
  ['agent-addr', value(isIPv4)],
  // `add server` takes it, but leaves the agent off.
  ['agent-check', fileFlag],
  ['agent-inter', duration(1)],
  ['agent-port', value(integerWithin(1, 65_535))],
  ['agent-send', notFromRegistry('text that this host would send')],
  ['allow-0rtt', flag],
  ['alpn', value(protocols)],
  ['backup', flag],
  ['ca-file', notFromRegistry(aFile)],
  ['check', flag],
  ['check-alpn', value(protocols)],
  ['check-pool-conn-name', later([3, 2], 1)],
  ['check-proto', notFromRegistry('a protocol that must fit the check')],
  ['check-reuse-pool', later([3, 2], 0)],
  ['check-send-proxy', flag],
  ['check-sni', value(hostWord)],
  ['check-sni-auto', laterMoot],
  ['check-ssl', flag],
  ['check-via-socks4', notFromRegistry(aHostThing, 'taken', 0)],
  ['ciphers', notFromRegistry('something that the TLS library of this host must know')],
  ['ciphersuites', notFromRegistry('something that the TLS library of this host must know')],
  ['client-sigalgs', later([2, 9], 1)],
  ['cookie', value(matches(/^[A-Za-z0-9_.:-]{1,255}$/), 'cookie')],
  ['crl-file', notFromRegistry(aFile)],
  ['crt', notFromRegistry(aFile)],
  ['curves', later([2, 9], 1)],
  ['disabled', mootFlag],
  ['downinter', duration(1)],
  ['enabled', mootFlag],
  ['error-limit', value(integerWithin(1, int31))],
  ['fall', value(integerWithin(1, int31))],
  ['fastinter', duration(1)],
  ['guid', later([3, 0], 1)],
  ['hash-key', later([3, 0], 1)],
  ['id', value(integerWithin(1, int31), 'moot')],
  ['idle-ping', later([3, 2], 1)],
  ['init-addr', value(listOf('last', 'libc', 'none'), 'moot')],
  ['init-state', later([3, 1], 1)],
  ['inter', duration(1)],
  ['interface', notFromRegistry(aHostThing, 'file')],
  ['ktls', later([3, 3], 1)],
  ['log-proto', value(oneOf('legacy', 'octet-count'), 'file')],
  ['max-reuse', value(integerWithin(-1, int31), 'file')],
  ['maxconn', value(integerWithin(0, int31))],
  ['maxqueue', value(integerWithin(0, int31))],
  ['minconn', value(integerWithin(0, int31))],
  ['namespace', notFromRegistry(aHostThing, 'file')],
  ['no-agent-check', mootFlag],
  ['no-backup', mootFlag],
  ['no-check', mootFlag],
  ['no-check-reuse-pool', laterMoot],
  ['no-check-sni-auto', later([3, 4], 0)],
  ['no-check-ssl', mootFlag],
  ['no-renegotiate', later([3, 3], 0)],
  ['no-send-proxy', mootFlag],
  ['no-send-proxy-v2', mootFlag],
  ['no-send-proxy-v2-ssl', mootFlag],
  ['no-send-proxy-v2-ssl-cn', mootFlag],
  ['no-sni-auto', later([3, 4], 0)],
  ['no-ssl', mootFlag],
  ['no-ssl-reuse', flag],
  ['no-tls-tickets', flag],
  ['non-stick', fileFlag],
  ['npn', value(protocols)],
  ['observe', value(oneOf('layer4', 'layer7'))],
  ['on-error', value(oneOf('fastinter', 'fail-check', 'sudden-death', 'mark-down'))],
  ['on-marked-down', value(oneOf('shutdown-sessions'))],
  ['on-marked-up', value(oneOf('shutdown-backup-sessions'))],
  ['pool-conn-name', later([3, 0], 1)],
  ['pool-low-conn', value(integerWithin(0, int31))],
  ['pool-max-conn', value(integerWithin(-1, int31))],
  ['pool-purge-delay', duration(0)],
  ['port', value(integerWithin(1, 65_535))],
  ['proto', notFromRegistry('a protocol that must fit the mode of the backend')],
  [
    'proxy-v2-options',
    value(listOf('ssl', 'cert-cn', 'ssl-cipher', 'cert-sig', 'cert-key', 'authority', 'crc32c', 'unique-id')),
  ],
  ['redir', value(matches(/^https?:\/\/[A-Za-z0-9_.:/[\]-]{1,512}$/), 'file')],
  ['renegotiate', later([3, 3], 0)],
  ['resolve-net', notFromRegistry('networks of a resolver', 'moot')],
  ['resolve-opts', value(listOf('allow-dup-ip', 'ignore-weight', 'prevent-dup-ip'), 'moot')],
  ['resolve-prefer', value(oneOf('ipv4', 'ipv6'), 'moot')],
  ['resolvers', notFromRegistry('a section that must exist on this host', 'moot')],
  ['rise', value(integerWithin(1, int31))],
  ['send-proxy', flag],
  ['send-proxy-v2', flag],
  ['send-proxy-v2-ssl', flag],
  ['send-proxy-v2-ssl-cn', flag],
  ['shard', later([2, 7], 1)],
  ['sigalgs', later([2, 9], 1)],
  ['slowstart', duration(0)],
  ['sni', notFromRegistry('an expression that HAProxy would evaluate')],
  ['sni-auto', laterMoot],
  ['socks4', notFromRegistry('another destination', 'file')],
  ['source', notFromRegistry(aHostThing, 'file')],
  ['ssl', flag],
  ['ssl-max-ver', notFromRegistry(tlsChoice)],
  ['ssl-min-ver', notFromRegistry(tlsChoice)],
  ['ssl-reuse', mootFlag],
  ['stick', mootFlag],
  ['strict-maxconn', later([3, 2], 0)],
  ['tcp-ut', value(durationWithin(0), 'file')],
  ['tfo', flag],
  ['tls-tickets', flag],
  ['track', notFromRegistry('another server, which must exist', 'file')],
  ['usesrc', notFromRegistry(aHostThing, 'file')],
  ['verify', value(oneOf('none', 'required'))],
  ['verifyhost', value(hostWord)],
  ['weight', value(integerWithin(0, 256), 'moot')],
  ['ws', value(oneOf('auto', 'h1', 'h2'))],
  ...tlsVersions.flatMap((version): [string, OptionSpec][] => [
    [`force-${version}`, notFromRegistry(tlsChoice, 'taken', 0)],
    [`no-${version}`, notFromRegistry(tlsChoice, 'taken', 0)],
  ]),
]);
