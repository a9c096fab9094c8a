import { age, cut, plainText, table } from '@smartstack/agent/cli';

import type { Explanation, PlanAnswer, ServerLine, ServiceLine, Step } from '../explain/shapes.js';

/** For whom it is written: the time (wall clock milliseconds), and the width of the terminal if it is one. */
export interface Page {
  readonly now: number;
  readonly width: number | undefined;
}

/** `synapse services`. */
export function servicesTable(services: readonly ServiceLine[], { width }: Page): readonly string[] {
  const rows = services.map((one) => [
    one.service,
    one.source === 'stale' ? `stale ${age(one.staleMs)}` : one.source,
    `${one.discovered}${one.held > 0 ? ` (${one.held} held)` : ''}${one.problems > 0 ? ` (+${one.problems} bad)` : ''}`,
    String(one.instances),
    `${one.takesTraffic}/${one.servers}`,
    one.reason ?? 'ok',
  ]);
  return table(['SERVICE', 'SOURCE', 'DISCOVERED', 'INSTANCES', 'SERVING', 'STATUS'], rows, width);
}

const mark = (yes: boolean): string => (yes ? 'yes' : 'no');

/** `synapse servers`. */
export function serversTable(servers: readonly ServerLine[], { now, width }: Page): readonly string[] {
  const rows = servers.map((one) => [
    one.service,
    one.server,
    one.state,
    one.since === undefined ? '' : age(now - one.since),
    one.weight === undefined ? '' : String(one.weight),
    mark(one.desired),
    mark(one.loaded),
    mark(one.running),
    one.reason ?? (one.takesTraffic ? ['takes traffic', one.note ?? []].flat().join(', ') : ''),
  ]);
  return table(
    ['SERVICE', 'SERVER', 'STATE', 'SINCE', 'WEIGHT', 'DESIRED', 'LOADED', 'RUNNING', 'WHY'],
    rows,
    width,
  );
}

/** Local time would need a zone beside it. */
function moment(at: number): string {
  return new Date(at).toISOString().replace('T', ' ').replace(/Z$/, '');
}

function stepsTable(steps: readonly Step[], { now, width }: Page): readonly string[] {
  const several = new Set(steps.flatMap(({ generator }) => generator ?? [])).size > 1;
  const rows = steps.map(({ step, generator, ok, at, detail }) => [
    several && generator !== undefined ? `${generator} ${step}` : step,
    ok ? 'ok' : 'NO',
    at === undefined ? '' : moment(at),
    at === undefined ? '' : age(now - at),
    detail,
  ]);
  return table(['STEP', '', 'SINCE (UTC)', 'AGO', 'WHAT'], rows, width);
}

/** `synapse why`: all of a service, or one of its servers. */
export function explanationPage(
  { service, steps, servers, reason, ok }: Explanation,
  server: string | undefined,
  page: Page,
): readonly string[] {
  const { width } = page;
  if (server !== undefined)
    return servers.flatMap((one, index) => [
      ...(index > 0 ? [''] : []),
      cut(
        plainText(
          `${service}/${one.server}: ${one.takesTraffic ? 'takes traffic' : `out, ${one.reason ?? one.state}`}`,
        ),
        width,
      ),
      ...stepsTable(one.steps, page),
    ]);
  const serving = servers.filter(({ takesTraffic }) => takesTraffic).length;
  const head = `${service}: ${serving} of ${servers.length} servers take traffic${ok ? '' : `; ${reason ?? ''}`}`;
  const rows = servers.map((one) => [
    one.server,
    one.state,
    one.weight === undefined ? '' : String(one.weight),
    one.takesTraffic ? 'takes traffic' : (one.reason ?? ''),
  ]);
  return [
    cut(plainText(head), width),
    ...stepsTable(steps, page),
    ...(rows.length === 0 ? [] : ['', ...table(['SERVER', 'STATE', 'WEIGHT', 'WHY'], rows, width)]),
  ];
}

/** `synapse plan`. */
export function planPage({ generators, waitingFor }: PlanAnswer, { width }: Page): readonly string[] {
  const line = (text: string): string => cut(text.replaceAll(/\p{Cc}/gu, ' '), width);
  const waiting = waitingFor.length === 0 ? [] : [line(`waits for ${waitingFor.join(', ')}`)];
  return [
    ...waiting,
    ...generators.flatMap(({ generator, commands, reload, files, notes }) => [
      ...(commands.length + reload.length + files.length === 0 ? [`${generator}: nothing to do`] : []),
      ...commands.map(({ kind, target, detail }) => line(`${generator}: ${kind} ${target} ${detail}`)),
      ...reload.map(({ kind, detail }) => line(`${generator}: reload (${kind}): ${detail}`)),
      ...files.flatMap(({ path, changes }) => [
        line(`${generator}: write ${path}`),
        ...changes.map((change) => line(`  ${change}`)),
      ]),
      ...notes.map((note) => line(`${generator}: note: ${note}`)),
    ]),
  ];
}
