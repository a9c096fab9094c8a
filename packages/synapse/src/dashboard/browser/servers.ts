import type { ExplainedServer } from '../../explain/shapes.js';
import type { ServerTraffic } from '../../traffic/shapes.js';

/** A server of a service: why it is in or out, and what it does. */
export interface ServerRow {
  readonly name: string;
  readonly why: ExplainedServer | undefined;
  readonly traffic: ServerTraffic | undefined;
  /** Its part of the requests of all, from 0 to 1; undefined without any. */
  readonly share: number | undefined;
}

/** Puts both answers together; those that take traffic first, each part by name. */
export function serverRows(
  explained: readonly ExplainedServer[],
  traffic: readonly ServerTraffic[],
): readonly ServerRow[] {
  const whys = new Map(explained.map((each) => [each.server, each]));
  const counted = new Map(traffic.map((each) => [each.server, each]));
  const total = traffic.reduce((sum, { summary }) => sum + summary.requests, 0);
  const rows = [...new Set([...whys.keys(), ...counted.keys()])].map((name): ServerRow => {
    const one = counted.get(name);
    return {
      ...{ name, why: whys.get(name), traffic: one },
      share: one === undefined || total === 0 ? undefined : one.summary.requests / total,
    };
  });
  const rank = ({ why }: ServerRow): number => (why === undefined ? 2 : why.takesTraffic ? 0 : 1);
  return rows.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}
