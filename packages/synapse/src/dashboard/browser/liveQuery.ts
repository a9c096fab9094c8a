const units = { ms: 0.001, s: 1 } as const;

/** What one word of the filter means. */
function parameterOf(word: string): readonly [name: string, value: string] {
  const [, slow, unit = 'ms'] = /^>(\d{1,6}(?:\.\d{1,3})?)(ms|s)?$/.exec(word) ?? [];
  if (slow !== undefined)
    return ['min_latency', (Number(slow) * units[unit as keyof typeof units]).toFixed(6)];
  if (/^[1-5](\d\d|xx)$/i.test(word)) return ['status', word];
  if (/^[A-Z]{1,32}$/.test(word)) return ['method', word];
  if (/^[/*]/.test(word)) return ['path', word];
  if (/^(\d{1,3}\.){3}\d{1,3}(\/\d{1,2})?$/.test(word) || /^[0-9a-f]*:[0-9a-f:.]*(\/\d{1,3})?$/i.test(word))
    return ['source', word];
  return ['server', word];
}

/** The query that a filter of words means: `/path 5xx GET >50ms 10.0.0.0/8 server`. Of what can be given once, the last counts. */
export function liveQuery(service: string, filter: string, maxRps: number): string {
  const query = new URLSearchParams({ max_rps: String(maxRps) });
  if (service !== '') query.set('service', service);
  for (const word of filter.split(/\s+/).filter((each) => each !== '' && each !== '>')) {
    const [name, value] = parameterOf(word);
    if (name === 'status' || name === 'method') query.append(name, value);
    else query.set(name, value);
  }
  return query.toString();
}
