import { api } from '../api.js';
import { clock } from '../clock.js';
import { h, set, show } from '../dom.js';
import { count, dateAndTime, duration, none } from '../format.js';
import {
  type Ensemble,
  findings,
  type GeneratorHealth,
  type HealthStatus,
  type Sample,
  samplesOf,
  statsLink,
} from '../health.js';
import { Tile } from '../tiles.js';
import type { Page, ViewPart } from '../view.js';

/** A card of facts. */
function card(title: string, ...rows: readonly (Node | undefined)[]): HTMLElement {
  return h('section', { class: 'card' }, h('h2', {}, title), ...rows);
}

function facts(rows: readonly (readonly [string, string | Node | undefined])[]): HTMLElement {
  const known = rows.filter(([, value]) => value !== undefined);
  return h(
    'dl',
    { class: 'facts' },
    ...known.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
  );
}

function pill(text: string, level: string): HTMLElement {
  return h('span', { class: 'pill', 'data-level': level }, text);
}

/** How the agents themselves fare. */
export class AgentView implements ViewPart {
  readonly element: HTMLElement;
  readonly title = 'Agent';
  readonly #page: Page;
  readonly #version: () => string;
  readonly #tiles = {
    state: new Tile('Condition'),
    zookeeper: new Tile('ZooKeeper'),
    convergence: new Tile('Last in step'),
    reloads: new Tile('Reloads'),
    workers: new Tile('Old workers'),
  };
  readonly #findings = h('ul', { class: 'findings' });
  readonly #cards = h('div', { class: 'cards' });
  /** Not in a card: those are made anew, which would take the focus from it. */
  readonly #stats = h(
    'a',
    { class: 'button', rel: 'noreferrer', target: '_blank', hidden: true },
    'HAProxy\u2019s stats page',
  );
  #shown = '';

  constructor(page: Page, version: () => string) {
    this.#page = page;
    this.#version = version;
    this.element = h(
      'section',
      { class: 'view' },
      h('div', { class: 'bar' }, h('div', { class: 'title' }, h('h1', {}, 'Agent')), this.#stats),
      h('div', { class: 'tiles' }, ...Object.values(this.#tiles).map(({ element }) => element)),
      this.#findings,
      this.#cards,
    );
  }

  moved(): void {
    // There is only one of it.
  }

  run(signal: AbortSignal): void {
    const both = (inner: AbortSignal) => Promise.all([api.status(inner), api.metrics(inner)]);
    const every = (answer: readonly [HealthStatus, string] | undefined): number =>
      (answer?.[0].services?.length ?? 0) > 200 ? 10_000 : 3_000;
    this.#page.connection
      .feed(both, every, ([status, metrics]) => this.#show(status, metrics), signal)
      .catch(reportError);
  }

  key(): boolean {
    return false;
  }

  #show(status: HealthStatus, metrics: string): void {
    const now = clock.now();
    const found = findings(status, now);
    const bad = found.filter(({ level }) => level === 'bad').length;
    const sessions = status.zookeeper ?? [];
    const connected = sessions.filter(({ kind }) => kind === 'connected').length;
    const generators = status.generators ?? [];
    const reloads = samplesOf(metrics, 'smartstack_haproxy_reload_total');
    const told = generators.map(({ details }) => details?.oldWorkers);
    const workers = told.includes('unknown')
      ? undefined
      : told.flatMap((each) => (each === 'unknown' ? [] : (each ?? [])));
    const total = reloads.reduce((sum, { value }) => sum + value, 0);
    const inStep = Math.min(...generators.map(({ lastSuccessAt }) => lastSuccessAt ?? 0));
    const { state, zookeeper, convergence, reloads: reloadTile, workers: workerTile } = this.#tiles;
    state.update(
      found.length === 0 ? 'well' : bad > 0 ? 'trouble' : 'attention',
      found.length === 0 ? 'nothing to do' : `${count(found.length)} to look at`,
      found.length === 0 ? 'good' : bad > 0 ? 'bad' : 'fair',
    );
    zookeeper.update(
      sessions.length === 0 ? none : connected === sessions.length ? 'connected' : 'lost',
      sessions.length === 0 ? 'not used' : `${connected} of ${sessions.length}`,
      sessions.length === 0 ? 'none' : connected === sessions.length ? 'good' : 'bad',
    );
    convergence.update(
      inStep > 0 && inStep !== Infinity ? `${duration(now - inStep)} ago` : none,
      'last pass that succeeded',
    );
    reloadTile.update(count(total), 'since the agent started');
    workerTile.update(
      workers === undefined ? 'unknown' : count(workers.length),
      workers === undefined ? 'no master socket tells' : 'ending their requests',
      (workers?.length ?? 0) > 5 ? 'fair' : 'none',
    );
    const stats = statsLink(
      generators.map(({ details }) => details?.statsAddress).find((each) => each !== undefined),
      location.hostname,
    );
    set(this.#stats, 'href', stats);
    show(this.#stats, stats !== undefined);
    const text = JSON.stringify([status, reloads, Math.floor(now / 1000)]);
    if (text === this.#shown) return;
    this.#shown = text;
    this.#findings.replaceChildren(
      ...found.map(({ level, text: what, detail }) =>
        h('li', { 'data-level': level }, h('b', {}, what), h('span', { class: 'muted' }, detail)),
      ),
    );
    const cards = [
      ...sessions.map((session) => sessionCard(session, now)),
      ...generators.flatMap((generator) => [generatorCard(generator, now), ...haproxyCards(generator)]),
      reloadCard(reloads, generators),
      workerCard(generators),
      sourceCard(status),
      card(
        'This agent',
        facts([
          ['version', this.#version()],
          ['configuration', status.configuration?.file],
          ['problems in it', count(status.configuration?.issues?.length ?? 0)],
          ['running for', duration(now - this.#page.startedAt())],
        ]),
      ),
    ];
    this.#cards.replaceChildren(...cards.filter((each) => each !== undefined));
  }
}

function sessionCard(
  { ensemble, kind, since, server, epoch, sessionId, reason }: Ensemble,
  now: number,
): HTMLElement {
  return card(
    `ZooKeeper ${ensemble ?? ''}`,
    facts([
      ['session', pill(kind, kind === 'connected' ? 'good' : 'bad')],
      ['for', since === undefined ? undefined : duration(now - since)],
      ['server', server],
      ['sessions so far', epoch === undefined ? undefined : count(epoch)],
      ['id', sessionId === undefined ? undefined : `0x${BigInt(sessionId).toString(16)}`],
      ['reason', reason],
    ]),
  );
}

function generatorCard(
  { generator, outcome, passes, lastSuccessAt, consecutiveFailures, error, waitingFor = [] }: GeneratorHealth,
  now: number,
): HTMLElement {
  return card(
    `Generator ${generator}`,
    facts([
      [
        'last pass',
        pill(outcome ?? 'none yet', outcome === 'failed' ? 'bad' : outcome === undefined ? 'none' : 'good'),
      ],
      ['in step', lastSuccessAt === undefined ? undefined : `${duration(now - lastSuccessAt)} ago`],
      ['passes', count(passes ?? 0)],
      ['failures in a row', consecutiveFailures ? count(consecutiveFailures) : undefined],
      ['waits for', waitingFor.length === 0 ? undefined : waitingFor.join(', ')],
      ['error', error],
    ]),
  );
}

function haproxyCards({ details }: GeneratorHealth): readonly HTMLElement[] {
  return (details?.processes ?? []).map(({ socket, pid, loaded, info }) =>
    card(
      'HAProxy',
      facts([
        ['process', pid === undefined ? pill('silent', 'bad') : `pid ${pid}`],
        [
          'configuration',
          loaded === undefined ? undefined : pill(loaded, loaded === 'ours' ? 'good' : 'fair'),
        ],
        ['version', info?.version],
        [
          'worker up for',
          info?.uptimeSeconds === undefined ? undefined : duration(info.uptimeSeconds * 1000),
        ],
        [
          'connections',
          info?.currentConnections === undefined
            ? undefined
            : `${count(info.currentConnections)} of ${count(info.maxConnections ?? 0)}`,
        ],
        [
          'file written',
          details?.file?.writtenAt === undefined ? undefined : dateAndTime(details.file.writtenAt),
        ],
        ['admin socket', socket],
      ]),
    ),
  );
}

function reloadCard(reloads: readonly Sample[], generators: readonly GeneratorHealth[]): HTMLElement {
  const due = generators.flatMap(({ details }) => details?.reloadReasons ?? []);
  const rows = [...reloads]
    .sort((a, b) => b.value - a.value)
    .map(({ labels, value }) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, labels.reason ?? ''),
        h('td', {}, pill(labels.result ?? '', labels.result === 'success' ? 'good' : 'bad')),
        h('td', { class: 'number' }, count(value)),
      ),
    );
  const table = h(
    'table',
    { class: 'small' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'col' }, 'Reason'),
        h('th', { scope: 'col' }, 'Result'),
        h('th', { scope: 'col', class: 'number' }, 'Times'),
      ),
    ),
    h('tbody', {}, ...rows),
  );
  return card(
    'Reloads by reason',
    rows.length === 0 ? h('p', { class: 'muted' }, 'None: every change was made at run time.') : table,
    ...due.map(({ kind, detail }) => h('p', { class: 'muted' }, `due: ${detail ?? kind}`)),
  );
}

function workerCard(generators: readonly GeneratorHealth[]): HTMLElement | undefined {
  const workers = generators.flatMap(({ details }) =>
    details?.oldWorkers === 'unknown' ? [] : (details?.oldWorkers ?? []),
  );
  if (workers.length === 0) return undefined;
  return card(
    'Old workers',
    facts(
      workers.map(({ pid, ageSeconds, drainingSeconds }) => [
        `pid ${pid}`,
        `draining for ${duration(drainingSeconds * 1000)}, started ${duration(ageSeconds * 1000)} ago`,
      ]),
    ),
  );
}

function sourceCard({ services = [] }: HealthStatus): HTMLElement {
  const counts = new Map<string, number>();
  for (const { source } of services) counts.set(source, (counts.get(source) ?? 0) + 1);
  const lost = services.filter(({ source, held = 0 }) => source !== 'live' || held > 0).slice(0, 20);
  return card(
    'Sources of services',
    facts([...counts].map(([source, number]) => [source, count(number)])),
    ...lost.map(({ name, source, staleMs = 0, held = 0 }) =>
      h(
        'p',
        {},
        name,
        ' ',
        h(
          'span',
          { class: 'muted' },
          [source, staleMs > 0 ? `for ${duration(staleMs)}` : '', held > 0 ? `${count(held)} held` : '']
            .filter((part) => part !== '')
            .join(', '),
        ),
      ),
    ),
  );
}
