import type { BackendContext } from '../desired/backendContext.js';
import { isPlainWord, joinOptions, type Option, parseOptions } from '../desired/options.js';
import type { Capabilities, Server } from '../types.js';
import { isAtLeast } from './capabilities.js';

/** A server as `add server` makes it. */
export interface RuntimeServer {
  readonly options: readonly string[];
  readonly checked: boolean;
}

/** Keywords that take back another one. */
const cancels = new Map<string, string>([
  ['stick', 'non-stick'],
  ['ssl-reuse', 'no-ssl-reuse'],
  ['enabled', 'disabled'],
  ['sni-auto', 'no-sni-auto'],
  ['check-sni-auto', 'no-check-sni-auto'],
  ['no-check-reuse-pool', 'check-reuse-pool'],
  ...[
    ...['agent-check', 'backup', 'check', 'check-ssl', 'ssl', 'send-proxy', 'send-proxy-v2'],
    ...['send-proxy-v2-ssl', 'send-proxy-v2-ssl-cn'],
  ].map((keyword): [string, string] => [`no-${keyword}`, keyword]),
]);

/** Servers of one backend mostly share their words: each list is read once per context. */
const effectiveOptions = new WeakMap<BackendContext, EffectiveOptions>();

/** Far more than the servers of one backend usually have different ones. */
const maxTexts = 1_000;

interface EffectiveOptions {
  readonly byList: WeakMap<readonly string[], ReadonlyMap<string, Option>>;
  /** Equal lists. */
  readonly byText: Map<string, ReadonlyMap<string, Option>>;
}

/** What was asked for last: the next server mostly shares it. */
let last:
  | {
      readonly context: BackendContext;
      readonly words: readonly string[];
      readonly options: ReadonlyMap<string, Option>;
    }
  | undefined;

function effective(server: Server, context: BackendContext): ReadonlyMap<string, Option> {
  if (last?.words === server.options && last.context === context) return last.options;
  const options = effectiveIn(server, context);
  last = { context, words: server.options, options };
  return options;
}

/** What default-server and the server's own words amount to: the last of each keyword, without what was taken back. */
function effectiveIn(server: Server, context: BackendContext): ReadonlyMap<string, Option> {
  let known = effectiveOptions.get(context);
  if (known === undefined)
    effectiveOptions.set(context, (known = { byList: new WeakMap(), byText: new Map() }));
  const sameList = known.byList.get(server.options);
  if (sameList !== undefined) return sameList;
  const text = server.options.join(' ');
  const result = known.byText.get(text) ?? workOut(server, context);
  // Where each instance has words of its own, those of instances long gone must not pile up.
  if (known.byText.size >= maxTexts) known.byText.clear();
  known.byText.set(text, result);
  known.byList.set(server.options, result);
  return result;
}

function workOut(server: Server, context: BackendContext): ReadonlyMap<string, Option> {
  const result = new Map<string, Option>();
  for (const option of [...context.defaultServer, ...parseOptions(server.options)]) {
    const cancelled = cancels.get(option.keyword);
    if (cancelled !== undefined) result.delete(cancelled);
    result.delete(option.keyword);
    if (cancelled === undefined) result.set(option.keyword, option);
  }
  return result;
}

/** The weight a server ends with, 0 to 256. */
export function effectiveWeight(server: Server, context: BackendContext): number {
  if (server.weight !== undefined) return server.weight;
  const stated = Number(effective(server, context).get('weight')?.values[0] ?? 1);
  return Number.isInteger(stated) && stated >= 0 && stated <= 256 ? stated : 1;
}

/** True when the file would start the server in maintenance: vanished, or `disabled` by its options. */
export function startsInMaint(server: Server, context: BackendContext): boolean {
  return server.disabled || effective(server, context).has('disabled');
}

/** True when HAProxy's agent checks may change the weight and state of the server: then they are not ours to correct. */
export function isAgentDriven(server: Server, context: BackendContext): boolean {
  return effective(server, context).has('agent-check');
}

/** True when HAProxy checks the server's health. */
export function isChecked(server: Server, context: BackendContext): boolean {
  return effective(server, context).has('check');
}

/** From 3.3 on a short duration without its unit is warned of in the file, and makes `add server` refuse. */
function withUnit(duration: string): string {
  return /^\d+$/.test(duration) ? `${duration}ms` : duration;
}

/** The SNI that HAProxy gives a TLS server of its file, where `add server` would leave it out. */
function sniOfFile(
  options: ReadonlyMap<string, Option>,
  context: BackendContext,
  capabilities: Capabilities,
): readonly string[] {
  if (!capabilities.addServerForgetsSni || !context.http || !options.has('ssl')) return [];
  return options.has('sni') || options.has('no-sni-auto') ? [] : ['sni', 'req.hdr(host),field(1,:)'];
}

/** What `add server` needs to make this server as the file would, or why only the file can. */
export function runtimeServer(
  server: Server,
  context: BackendContext,
  capabilities: Capabilities,
): RuntimeServer | { readonly needsFile: string } {
  const options = effective(server, context);
  const taken: Option[] = [];
  for (const option of options.values()) {
    const { keyword, values, spec } = option;
    const runtime = spec?.runtime ?? 'file';
    // Without a `cookie` directive in the backend a server's cookie does nothing.
    if (runtime === 'moot' || (runtime === 'cookie' && !context.cookie)) continue;
    const known = spec?.since === undefined || isAtLeast(capabilities.release, spec.since);
    if (runtime === 'file' || !known) return { needsFile: `option ${keyword}` };
    if (runtime === 'cookie' && !capabilities.dynamicCookie) return { needsFile: 'cookie' };
    if (![keyword, ...values].every(isPlainWord)) {
      return { needsFile: `option ${keyword} (its value cannot be sent as a command)` };
    }
    taken.push(spec?.isDuration === true ? { ...option, values: values.map(withUnit) } : option);
  }
  const words = [...joinOptions(taken), ...sniOfFile(options, context, capabilities)];
  const checked = options.has('check');
  if (server.cookie === undefined || !context.cookie || options.has('cookie')) {
    return { options: words, checked };
  }
  return capabilities.dynamicCookie
    ? { options: ['cookie', server.cookie, ...words], checked }
    : { needsFile: 'cookie' };
}

function steadyWords(options: readonly string[]): string {
  const steady = parseOptions(options).filter(
    ({ keyword }) => keyword !== 'weight' && keyword !== 'disabled' && keyword !== 'enabled',
  );
  return joinOptions(steady).join(' ');
}

/** True when two servers are known to differ in nothing but weight and being disabled, which commands can change. */
export function isSameServer(a: Server, b: Server): boolean {
  if (a.unconfirmed || b.unconfirmed) return false;
  if (a === b) return true;
  if (a.address !== b.address || a.port !== b.port || a.id !== b.id || a.cookie !== b.cookie) return false;
  return a.options.join(' ') === b.options.join(' ') || steadyWords(a.options) === steadyWords(b.options);
}
