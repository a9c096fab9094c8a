/** Where one is in the dashboard: what stands behind the # of its address. */
export type View = 'services' | 'service' | 'topology' | 'live' | 'agent';

export interface Place {
  readonly view: View;
  /** Of the view `service`; of `live` empty for all. */
  readonly service: string;
  /** How long the span that is shown is, in seconds. */
  readonly span: number;
  readonly filter: string;
  readonly sort: string;
  readonly down: boolean;
  readonly trouble: boolean;
  /** Of the topology: this host only. */
  readonly local: boolean;
}

/** The spans that can be chosen, in seconds. */
export const spans: readonly (readonly [seconds: number, name: string, long: string])[] = [
  [60, '1 min', 'last minute'],
  [600, '10 min', 'last 10 minutes'],
  [3600, '1 h', 'last hour'],
];

/** Reads an address; whatever it does not know is as at first. */
export function parsePlace(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [first, rest] = cutAt(path, '/');
  const view: View =
    first === 'service' && rest
      ? 'service'
      : first === 'topology' || first === 'live' || first === 'agent'
        ? first
        : 'services';
  const values = new URLSearchParams(query);
  const asked = Number(values.get('span'));
  const usual = view === 'service' ? 600 : 60;
  return {
    view,
    service: view === 'service' || view === 'live' ? decoded(rest ?? '') : '',
    span: spans.some(([seconds]) => seconds === asked) ? asked : usual,
    filter: values.get('filter') ?? '',
    sort: values.get('sort') ?? 'service',
    down: values.get('down') === '1',
    trouble: values.get('trouble') === '1',
    local: values.get('local') === '1',
  };
}

/** The address of a place. */
export function addressOf(place: Partial<Place>): string {
  const { view = 'services', service = '', span, filter, sort, down, trouble, local } = place;
  const values = new URLSearchParams();
  const usual = view === 'service' ? 600 : 60;
  if (span !== undefined && span !== usual) values.set('span', String(span));
  if (filter) values.set('filter', filter);
  if (sort && sort !== 'service') values.set('sort', sort);
  if (down) values.set('down', '1');
  if (trouble) values.set('trouble', '1');
  if (local) values.set('local', '1');
  const query = values.toString();
  const has = view === 'service' || (view === 'live' && service !== '');
  const path = has ? `${view}/${encodeURIComponent(service)}` : view;
  return `#/${path}${query === '' ? '' : `?${query}`}`;
}

function cutAt(text: string, mark: string): [string, string | undefined] {
  const index = text.indexOf(mark);
  return index === -1 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
