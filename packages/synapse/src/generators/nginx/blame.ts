import type { Section } from './desired.js';
import type { RenderedFile } from './render.js';

/** Whose line nginx rejects. */
export interface Culprit {
  readonly service: string;
  /** Set when it is the line of one instance. */
  readonly instance?: string;
  readonly reason: string;
}

/** nginx's own words about what is wrong, without the noise around them. */
export function reasonIn(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  const found =
    lines.find((line) => /\[(emerg|crit|alert)\]/.test(line)) ?? lines.find((line) => line !== '');
  return (found ?? 'it says nothing').replace(/^.*?\[(emerg|crit|alert)\] /, '').slice(0, 300);
}

/** Who is to blame for what nginx says about a file at one of `paths`; undefined when nobody can tell. Pure. */
export function blame(
  output: string,
  paths: readonly string[],
  { owners }: RenderedFile,
  sections: readonly Section[],
): Culprit | undefined {
  const reason = reasonIn(output);
  const place = / in (\S+):(\d+)$/.exec(reason);
  if (place !== null && paths.includes(place[1] ?? '')) {
    const owner = owners.get(Number(place[2]));
    return owner && { ...owner, reason };
  }
  // An address that is not this machine's has no line.
  const port = /^bind\(\) to \S+:(\d+) failed/.exec(reason)?.[1];
  if (port === undefined) return undefined;
  const listens = new RegExp(`^\\t\\tlisten \\S+:${port}[ ;]`);
  const those = sections.filter(({ lines }) => lines.some(({ text }) => listens.test(text)));
  const [only] = those;
  return only !== undefined && those.length === 1 ? { service: only.service, reason } : undefined;
}
