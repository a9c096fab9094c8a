import * as z from 'zod';
import { duration, integer, lines, text } from './schemaFields.js';
import type { Section } from '../types.js';

/** Where the stats page listens when nothing else is said: Airbnb's habit. */
export const defaultStatsAddress = '127.0.0.1:3212';

/** What a user may change about our own `global` and `defaults`, without writing them. */
export const presetsSchema = z
  .strictObject({
    maxconn: integer(1, 10_000_000)
      .default(8192)
      .describe('Connections HAProxy accepts at once; it needs about twice as many file descriptors.'),
    nbthread: integer(1, 4096).optional().describe("Threads; HAProxy's own default is one per core."),
    mode: z.enum(['http', 'tcp']).default('http').describe('Mode of services that do not say theirs.'),
    balance: text.default('roundrobin').describe('Load balancing of services that do not say theirs.'),
    log: text
      .nullable()
      .default('stderr format raw daemon notice')
      .describe('Arguments of `log` in global; null turns logging off.'),
    hard_stop_after: duration
      .default('10m')
      .describe('How long an old worker may finish its requests after a reload.'),
    max_old_workers: integer(1, 10_000)
      .default(50)
      .describe('Old workers kept after reloads; the oldest beyond that is ended, whatever it does.'),
    // Only the last server that failed is avoided, so that of several that die at once each attempt may meet another.
    retries: integer(0, 1000)
      .default(10)
      .describe('Further attempts after a failed connection, on other servers where there are any.'),
    timeout_connect: duration.default('2s').describe('Longest wait for a connection to a server.'),
    timeout_client: duration.default('1m').describe("Longest silence of a client (TCP: timeout_tunnel's)."),
    timeout_server: duration.default('1m').describe("Longest silence of a server (TCP: timeout_tunnel's)."),
    timeout_queue: duration.default('5s').describe('Longest wait for a free slot of a full server.'),
    timeout_http_request: duration
      .default('10s')
      .describe('Longest time a client takes to send its headers.'),
    timeout_http_keep_alive: duration.default('1m').describe('Longest pause between two requests.'),
    timeout_tunnel: duration.default('1h').describe('Longest silence of an established TCP stream.'),
    timeout_check: duration.default('2s').describe("Longest wait for a health check's answer."),
    extra_global: lines.default([]).describe('Lines added at the end of global.'),
    extra_defaults: lines.default([]).describe('Lines added at the end of defaults.'),
  })
  .describe("Changes to synapse's own global and defaults sections, used where a file has none.");

/** The presets after defaults. */
export type Presets = z.output<typeof presetsSchema>;

/**
 * HAProxy's own HTTP client, which serves Lua, ACME and OCSP, has it read all the CA certificates of the system at
 * each start, reload and check: half of what a small file takes (haproxy 2.6.12: 28 of 55 ms, 0.9 MiB).
 */
const noCertificates = [
  '.if version_atleast(2.6)',
  // One that was built without TLS does not know the keyword.
  '.if feature(OPENSSL)',
  'httpclient.ssl.verify none',
  '.endif',
  '.endif',
];
/**
 * Lines and sections of those that use that client: it is left alone then. A `bind` line may have it ask for OCSP
 * answers, and so may each line of a `crt-list`, which is a file.
 */
const asksOthers = /^\s*(lua|httpclient|acme|ocsp)\b|\b(ocsp-update|crt-list)\b/;

/** Whether a line, or the title of a section, may need HAProxy's own HTTP client. */
export function mayAskOthers(line: string): boolean {
  return asksOthers.test(line);
}

/** Our `global` without the lines that spare HAProxy the certificates of the system; undefined where it has none. */
export function withCertificates(global: readonly string[]): readonly string[] | undefined {
  const at =
    global.indexOf('httpclient.ssl.verify none') - noCertificates.indexOf('httpclient.ssl.verify none');
  const isOurs = noCertificates.every((line, index) => global[at + index] === line);
  return isOurs ? [...global.slice(0, at), ...global.slice(at + noCertificates.length)] : undefined;
}

/**
 * Our `global`: a master-worker HAProxy whose sockets survive a reload and whose old workers end in bounded time.
 * `extraSections` are titles and lines of the operator's own sections.
 */
export function presetGlobal(
  presets: Presets,
  adminSockets: readonly string[],
  extraSections: readonly string[],
): readonly string[] {
  return [
    // Said on the command line by our unit and in managed mode; HAProxy 3.3 warns of the keyword, 3.5 is to refuse it.
    '.if version_before(3.3)',
    'master-worker',
    '.endif',
    // expose-fd hands the listeners to the next worker: a reload refuses no connection.
    // For the group as well: HAProxy and synapse may be users of their own.
    ...adminSockets.map((path) => `stats socket ${path} mode 660 level admin expose-fd listeners`),
    'stats timeout 2m',
    `hard-stop-after ${presets.hard_stop_after}`,
    `mworker-max-reloads ${presets.max_old_workers}`,
    `maxconn ${presets.maxconn}`,
    ...(presets.nbthread === undefined ? [] : [`nbthread ${presets.nbthread}`]),
    ...(presets.log === null ? [] : [`log ${presets.log}`]),
    ...([...presets.extra_global, ...extraSections].some(mayAskOthers) ? [] : noCertificates),
    ...presets.extra_global,
  ];
}

/** Our `defaults`. */
export function presetDefaults(presets: Presets): readonly string[] {
  return [
    `mode ${presets.mode}`,
    ...(presets.log === null ? [] : ['log global']),
    `balance ${presets.balance}`,
    'option dontlognull',
    'option redispatch',
    // Without it a reload resets clients whose next request crosses the closing of an idle connection.
    // HAProxy knows it since 2.6, and refuses the file before.
    '.if version_atleast(2.6)',
    'option idle-close-on-response',
    '.endif',
    `retries ${presets.retries}`,
    `timeout connect ${presets.timeout_connect}`,
    `timeout client ${presets.timeout_client}`,
    `timeout server ${presets.timeout_server}`,
    `timeout queue ${presets.timeout_queue}`,
    `timeout http-request ${presets.timeout_http_request}`,
    `timeout http-keep-alive ${presets.timeout_http_keep_alive}`,
    `timeout tunnel ${presets.timeout_tunnel}`,
    `timeout check ${presets.timeout_check}`,
    ...presets.extra_defaults,
  ];
}

/** HAProxy's own page. No `stats admin`: its forms have no protection against requests forged by other pages. */
export function statsSection(address: string): Section {
  return {
    title: 'listen synapse-stats',
    lines: [
      `bind ${address}`,
      'mode http',
      'timeout client 10s',
      'timeout server 10s',
      'timeout connect 1s',
      'stats enable',
      'stats uri /',
      'stats refresh 5s',
      'stats show-legends',
      'stats show-node',
      'stats show-desc Services reachable from this machine, kept by synapse',
    ],
  };
}
