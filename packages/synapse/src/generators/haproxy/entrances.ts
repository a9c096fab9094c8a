import type { Entrance } from '../../topology/types.js';
import { type Bind, readBinds } from './desired/bindLines.js';
import type { DesiredState, Section } from './types.js';

/** Frontends that did not change are the same values. */
const read = new WeakMap<Section, readonly Bind[]>();

function bindsOf(frontend: Section): readonly Bind[] {
  const known = read.get(frontend);
  if (known !== undefined) return known;
  const binds = readBinds([frontend.title, ...frontend.lines.map((line) => `\t${line}`)].join('\n'));
  read.set(frontend, binds);
  return binds;
}

/** Where clients of each service connect to. Services that share a frontend have none of their own. */
export function entrancesOf(desired: DesiredState | undefined): readonly Entrance[] {
  return (desired?.services ?? []).flatMap(({ service, frontend }) =>
    (frontend === undefined ? [] : bindsOf(frontend)).map(({ host, port, bothFamilies }) => ({
      ...{ service, host, port, bothFamilies },
    })),
  );
}
