import type { OwnCaller } from '../block/callerSchema.js';
import type { HaproxyConfig } from '../block/schema.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';

/** Begins the name of a listener that is a caller's. */
const prefix = 'caller-';

const named = new RegExp(`^\\s*bind\\s.*\\sname\\s+${prefix}(\\S+)`);

function addressOf({ port, socket }: OwnCaller, host: string): string {
  return socket ?? `${host}:${port ?? ''}`;
}

/** The lines that give callers addresses of their own; HAProxy counts connections for each of them. */
export function callerLines(service: HaproxyServiceConfig, config: HaproxyConfig): readonly string[] {
  const { callers, port, bindAddress } = service;
  if (callers.length === 0) return [];
  // Without a port, the bind address has one.
  const host = (port === null ? undefined : bindAddress) ?? config.bindAddress;
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
