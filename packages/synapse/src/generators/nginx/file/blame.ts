import type { Section } from '../sections.js';
import type { RenderedFile } from './render.js';

/** What a verdict of nginx means: whose lines it rejects, or a module that it does not have. */
export type Blame =
  | { readonly kind: 'service'; readonly service: string; readonly reason: string }
  | { readonly kind: 'no-stream'; readonly reason: string };

/** nginx's own words about what is wrong, without the noise around them. */
export function reasonIn(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  const found =
    // What it cannot log, and still goes on, is told first.
    lines.find((line) => line.includes('[emerg]')) ??
    lines.find((line) => /\[(crit|alert)\]/.test(line)) ??
    lines.find((line) => line !== '');
  return (found ?? 'it says nothing').replace(/^.*?\[(emerg|crit|alert)\] (\d+#\d+: )?/, '').slice(0, 300);
}

/** Who is to blame for what nginx says about a file at one of `paths`; undefined when nobody can tell. Pure. */
export function blame(
  output: string,
  paths: readonly string[],
  { owners, streamLine }: RenderedFile,
  sections: readonly Section[],
): Blame | undefined {
  const reason = reasonIn(output);
  const place = / in (\S+):(\d+)$/.exec(reason);
  if (place !== null && paths.includes(place[1] ?? '')) {
    const line = Number(place[2]);
    if (line === streamLine && reason.startsWith('unknown directive'))
      return {
        kind: 'no-stream',
        reason:
          "this nginx has no stream module: add 'load_module modules/ngx_stream_module.so' to contexts.main (Debian: libnginx-mod-stream)",
      };
    const service = owners.get(line);
    return service === undefined ? undefined : { kind: 'service', service, reason };
  }
  // An address that is not this machine's, or taken, has no line.
  const port = /^bind\(\) to \S+:(\d+) failed/.exec(reason)?.[1];
  if (port === undefined) return undefined;
  const those = sections.filter((section) => listensOf(section).some((each) => each.port === Number(port)));
  const [only] = those;
  return only !== undefined && those.length === 1
    ? { kind: 'service', service: only.service, reason }
    : undefined;
}

/** Where a section has nginx listen; a name or `*` as it stands. */
export function listensOf({ lines }: Section): readonly { readonly host: string; readonly port: number }[] {
  return lines.flatMap(({ text }) => {
    const [, host, port] = /^\t\tlisten (\S+):(\d+)[ ;]/.exec(text) ?? [];
    return host === undefined ? [] : [{ host, port: Number(port) }];
  });
}
