import { age, cut, plainText, table } from '@smartstack/agent/cli';

import type { Explanation, PlanAnswer, ServerLine, ServiceLine, Step } from '../explain/shapes.js';

/** For whom it is written: the time (wall clock milliseconds), and the width of the terminal if it is one. */
export interface Page {
  readonly now: number;
  readonly width: number | undefined;
}

/** `synapse services`. */
export function servicesTable(services: readonly ServiceLine[], { width }: Page): readonly string[] {
  const isTiered = services.some(({ tier }) => tier !== undefined);
  const rows = services.map((one) => [
    one.service,
    one.source === 'stale' ? `stale ${age(one.staleMs)}` : one.source,
    `${one.discovered}${one.held > 0 ? ` (${one.held} held)` : ''}${one.problems > 0 ? ` (+${one.problems} bad)` : ''}`,
    String(one.instances),
    `${one.takesTraffic}/${one.servers}`,
    ...(isTiered ? [one.tier ?? ''] : []),
    one.reason ?? 'ok',
  ]);
  const tier = isTiered ? ['TIER'] : [];
  return table(['SERVICE', 'SOURCE', 'DISCOVERED', 'INSTANCES', 'SERVING', ...tier, 'STATUS'], rows, width);
}

const mark = (yes: boolean): string => (yes ? 'yes' : 'no');

/** What a server that could serve does. */
function traffic({ standsBy }: Pick<ServerLine, 'standsBy'>): string {
  return standsBy === true ? 'stands by' : 'takes traffic';
}

/** `synapse servers`. */
export function serversTable(servers: readonly ServerLine[], { now, width }: Page): readonly string[] {
  const isTiered = servers.some(({ tier }) => tier !== undefined);
  const isMulti = servers.some(({ watcher }) => watcher !== undefined);
  const rows = servers.map((one) => [
    one.service,
    one.server,
    ...(isMulti ? [one.watcher ?? ''] : []),
    one.state,
    one.since === undefined ? '' : age(now - one.since),
    one.weight === undefined ? '' : String(one.weight),
    ...(isTiered ? [one.tier ?? ''] : []),
    mark(one.desired),
    mark(one.loaded),
    mark(one.running),
    one.reason ?? (one.takesTraffic ? [traffic(one), one.note ?? []].flat().join(', ') : ''),
  ]);
  const head = [
    'SERVICE',
    'SERVER',
    ...(isMulti ? ['WATCHER'] : []),
    'STATE',
    'SINCE',
    'WEIGHT',
    ...(isTiered ? ['TIER'] : []),
  ];
  return table([...head, 'DESIRED', 'LOADED', 'RUNNING', 'WHY'], rows, width);
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
  { service, steps, servers, reason, ok, tiers }: Explanation,
  server: string | undefined,
  page: Page,
): readonly string[] {
  const { width } = page;
  if (server !== undefined)
    return servers.flatMap((one, index) => [
      ...(index > 0 ? [''] : []),
      cut(
        plainText(
          `${service}/${one.server}: ${one.takesTraffic ? traffic(one) : `out, ${one.reason ?? one.state}`}`,
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
    ...(tiers === undefined ? [] : [one.tier ?? '']),
    one.takesTraffic ? traffic(one) : (one.reason ?? ''),
  ]);
  return [
    cut(plainText(head), width),
    ...stepsTable(steps, page),
    ...(rows.length === 0
      ? []
      : ['', ...table(['SERVER', 'STATE', 'WEIGHT', ...(tiers ? ['TIER'] : []), 'WHY'], rows, width)]),
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
      ...commandLines(commands).map((text) => line(`${generator}: ${text}`)),
      ...reload.map(({ kind, detail }) => line(`${generator}: reload (${kind}): ${detail}`)),
      ...files.flatMap(({ path, changes }) => [
        line(`${generator}: write ${path}`),
        ...changes.map((change) => line(`  ${change}`)),
      ]),
      ...notes.map((note) => line(`${generator}: note: ${note}`)),
    ]),
  ];
}

/** A server of a service with tiers is in several backends: what is done to it in each of them is one line. */
function commandLines(commands: PlanAnswer['generators'][number]['commands']): readonly string[] {
  const lines = new Map<string, { readonly text: string; readonly backends: string[] }>();
  for (const [index, { kind, target, detail, service }] of commands.entries()) {
    const slash = target.indexOf('/');
    const [backend, server] = [target.slice(0, slash), target.slice(slash + 1)];
    // Ids are each backend's own.
    const same = detail.replace(/ id \d+/, '');
    const key = service === undefined ? String(index) : JSON.stringify([kind, service, server, same]);
    const known = lines.get(key);
    if (known !== undefined) known.backends.push(backend);
    else if (service === undefined) lines.set(key, { text: `${kind} ${target} ${detail}`, backends: [] });
    else lines.set(key, { text: `${kind} ${service}/${server} ${same}`, backends: [backend] });
  }
  return [...lines.values()].map(({ text, backends }) =>
    backends.length === 0 ? text : `${text} (in ${backends.join(', ')})`,
  );
}
