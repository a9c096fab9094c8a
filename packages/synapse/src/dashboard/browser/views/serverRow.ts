import type { Step } from '../../../explain/shapes.js';
import { h, type Part, say, set, show } from '../dom.js';
import { dateAndTime, latency, levelOf, none, percent, rate } from '../format.js';
import type { ServerRow } from '../servers.js';

/** A server, and how it is shown. */
export interface ShownServer extends ServerRow {
  readonly last: number;
}

/** The columns of the table of servers. */
const serverColumns = 9;

/** The steps from the registry to what runs, each with its time. */
export function stepList(steps: readonly Step[]): HTMLElement {
  return h(
    'ol',
    { class: 'steps' },
    ...steps.map(({ step, generator, ok, at, detail }) =>
      h(
        'li',
        { 'data-ok': String(ok) },
        h('span', { class: 'mark', role: 'img', 'aria-label': ok ? 'fine' : 'stops here' }, ok ? '✓' : '✗'),
        h('b', {}, generator === undefined || generator === 'haproxy' ? step : `${step} (${generator})`),
        h('span', { class: 'detail' }, detail),
        h('time', { class: 'muted' }, at === undefined ? '' : dateAndTime(at)),
      ),
    ),
  );
}

/** The row of a server, with a row below it that says why it is in or out. */
export function serverRow({ name }: ShownServer): Part<ShownServer> {
  const toggle = h('button', { type: 'button', class: 'name', 'aria-expanded': 'false', click: flip }, name);
  const reason = h('span', { class: 'why' });
  const pill = h('span', { class: 'pill' });
  const weight = h('td', { class: 'number weight' });
  const share = h('td', { class: 'share' });
  const bar = h('span', { class: 'bar-fill' });
  const shareText = h('span', {});
  share.append(h('span', { class: 'bar-room', 'aria-hidden': 'true' }, bar), shareText);
  const numbers = ['rps', 'success', 'p50', 'p95', 'p99'].map((each) => h('td', { class: `number ${each}` }));
  const row = h(
    'tr',
    {},
    h('th', { scope: 'row', class: 'service' }, h('div', { class: 'line' }, toggle), reason),
    h('td', { class: 'state' }, pill),
    weight,
    share,
    ...numbers,
  );
  const cell = h('td', { colspan: serverColumns });
  const detail = h('tr', { class: 'detail', hidden: true }, cell);
  // One body of a table for each server: both of its rows stay together.
  const element = h('tbody', {}, row, detail);
  let shownSteps = '';

  function flip(): void {
    show(detail, detail.hidden !== false);
    set(toggle, 'aria-expanded', String(!detail.hidden));
  }

  return {
    element,
    update: ({ why, traffic, share: part, last }) => {
      const { summary } = traffic ?? {};
      say(reason, why === undefined ? 'no longer known' : why.takesTraffic ? '' : (why.reason ?? ''));
      set(reason, 'title', why?.reason);
      say(pill, why?.state ?? 'gone');
      set(pill, 'data-level', why === undefined ? 'none' : why.takesTraffic ? 'good' : 'bad');
      say(weight, why?.weight === undefined ? none : String(why.weight));
      say(shareText, percent(part));
      bar.style.setProperty('width', `${(part ?? 0) * 100}%`);
      const texts = [
        summary === undefined ? none : rate(summary.rps),
        percent(summary?.successRate),
        ...[summary?.p50, summary?.p95, summary?.p99].map((value) => latency(value, last)),
      ];
      for (const [index, each] of numbers.entries()) say(each, texts[index] ?? none);
      set(numbers[1] ?? row, 'data-level', levelOf(summary?.successRate));
      const steps = JSON.stringify(why?.steps);
      if (steps === shownSteps) return;
      shownSteps = steps;
      cell.replaceChildren(
        why === undefined ? 'It left, and its last requests are still counted.' : stepList(why.steps),
      );
    },
  };
}
