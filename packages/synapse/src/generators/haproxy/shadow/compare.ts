import { hostPort } from '../../names.js';
import type { Difference } from '../../differences.js';
import type { SectionChange } from '../live/compare.js';
import type { Look, SeenServer } from '../runtime/look.js';
import type { DesiredState } from '../types.js';

/** Sections of the live file that ours would write otherwise. */
export function fileDifferences(changes: readonly SectionChange[]): readonly Difference[] {
  return changes.map(({ title, kind, changes: lines, notes }) => {
    const shown = lines.slice(0, 5).map(({ op, text }) => `${op} ${text}`);
    const more = lines.length > shown.length ? [`and ${lines.length - shown.length} more lines`] : [];
    const detail = [kind, ...shown, ...more, ...notes].join('; ');
    return { where: 'file', subject: title === '' ? 'the file' : title, detail };
  });
}

/** What an administrator, or another synapse, did to it; not what HAProxy's checks found. */
function isOut({ status, weight }: SeenServer): boolean {
  return /^(maint|drain)/.test(status) || weight === 0;
}

/** Servers of the running HAProxy that are in rotation and should not be, or the other way round. */
export function runningDifferences(desired: DesiredState, looks: readonly Look[]): readonly Difference[] {
  return looks.flatMap((look) => {
    if ('problem' in look)
      return [{ where: 'running' as const, subject: look.socket, detail: `no answer: ${look.problem}` }];
    return desired.services.flatMap(({ backend }) => {
      const seen = look.backends.get(backend.name);
      const found = (name: string, detail: string): Difference => ({
        where: 'running',
        subject: name === '' ? backend.name : `${backend.name}/${name}`,
        detail,
      });
      if (seen === undefined) return [found('', 'the running HAProxy has no such backend')];
      const wanted = new Map(
        backend.servers.flatMap((server) => (server.disabled ? [] : [[server.name, server] as const])),
      );
      const known = new Map(seen.map((server) => [server.name, server]));
      const missing = [...wanted.keys()].filter((name) => !known.has(name));
      return [
        ...missing.map((name) => found(name, 'would serve, and is not there')),
        ...seen.flatMap((server) => {
          const want = wanted.get(server.name);
          if (want === undefined)
            return isOut(server) ? [] : [found(server.name, 'would not serve, and does')];
          if (isOut(server)) return [found(server.name, `would serve, and is in ${server.status}`)];
          const address = hostPort(want.address, want.port);
          return server.address === undefined || server.address === address
            ? []
            : [found(server.name, `would be at ${address}, and is at ${server.address}`)];
        }),
      ];
    });
  });
}
