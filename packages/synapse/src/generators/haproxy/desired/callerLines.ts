import type { OwnCaller } from '../block/callerSchema.js';
import type { HaproxyConfig } from '../block/schema.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import { overlap } from './bindLines.js';

/** Begins the name of a listener that is a caller's. */
const prefix = 'caller-';

const named = new RegExp(`^\\s*bind\\s.*\\sname\\s+${prefix}(\\S+)`);

function addressOf({ port, socket }: OwnCaller, host: string): string {
  return socket ?? `${host}:${port ?? ''}`;
}

/**
 * The callers that can have their addresses, and what is wrong with the others. The service's frontend listens at
 * `taken` without them: two listeners on one address HAProxy accepts, and the kernel deals connections to either.
 */
export function callersApart(
  service: HaproxyServiceConfig,
  config: HaproxyConfig,
  taken: readonly string[],
): { readonly callers: readonly OwnCaller[]; readonly problems: readonly string[] } {
  const host = hostOf(service, config);
  const found = service.callers.map((caller) => {
    const address = addressOf(caller, host);
    const other = taken.find((each) => overlap(each, address));
    return { caller, problem: other && doubleProblem(caller.name, address, other) };
  });
  return {
    callers: found.flatMap(({ caller, problem }) => (problem === undefined ? [caller] : [])),
    problems: found.flatMap(({ problem }) => problem ?? []),
  };
}

function doubleProblem(name: string, address: string, other: string): string {
  const where = address === other ? address : `${address} (${other})`;
  return `callers: ${name} gets no address of its own, as the service itself listens at ${where}: give it another one`;
}

/** Where callers connect to: without a port, the bind address has one. */
function hostOf({ port, bindAddress }: HaproxyServiceConfig, config: HaproxyConfig): string {
  return (port === null ? undefined : bindAddress) ?? config.bindAddress;
}

/** The lines that give callers addresses of their own; HAProxy counts connections for each of them. */
export function callerLines(
  callers: readonly OwnCaller[],
  service: HaproxyServiceConfig,
  config: HaproxyConfig,
): readonly string[] {
  if (callers.length === 0) return [];
  const host = hostOf(service, config);
  return [
    'option socket-stats',
    ...callers.map((caller) =>
      ['bind', addressOf(caller, host), 'name', `${prefix}${caller.name}`, caller.bind_options ?? '']
        .filter((word) => word !== '')
        .join(' '),
    ),
  ];
}

/** Whose address a `bind` line is; undefined where it is nobody's. */
export function callerIn(line: string): string | undefined {
  return named.exec(line)?.[1];
}

/** Whose listener that is, by its name in `show stat`. */
export function callerOfListener(name: string): string | undefined {
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}
