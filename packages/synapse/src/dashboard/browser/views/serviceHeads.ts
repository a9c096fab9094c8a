import { h } from '../dom.js';

/** The columns of the list of services: what each is sorted by (nothing: it is not), its title, its meaning. */
export const heads = [
  ['service', 'Service', 'Service'],
  ['success', 'Success', 'Share of responses other than 5xx'],
  ['rps', 'RPS', 'Requests a second; connections a second for TCP'],
  ['', 'Last 10 min', 'Requests over the last ten minutes'],
  ['p50', 'p50', 'Half of the responses had their headers in this time'],
  ['p95', 'p95', 'The same of 95 %'],
  ['p99', 'p99', 'The same of 99 %'],
  ['servers', 'Servers', 'Servers that take traffic, of all that are known'],
  ['state', 'State', 'Where the instances come from'],
] as const;

/** The cells above the columns. */
export function headCells(sortBy: (key: string) => void): readonly HTMLTableCellElement[] {
  return heads.map(([key, text, meaning]) => {
    if (key === '') return h('th', { scope: 'col', class: 'curve', title: meaning }, text);
    const sort = h('button', { type: 'button', title: meaning, click: () => sortBy(key) }, text);
    return h(
      'th',
      { scope: 'col', class: key === 'service' || key === 'state' ? key : `number ${key}` },
      sort,
    );
  });
}
