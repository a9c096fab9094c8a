type Known = number | null | undefined;

const shown = (value: Known, format: (value: number) => string): string =>
  value === null || value === undefined ? '' : format(value);

/** `99.52%`; never rounded up to all of it. Empty for what is unknown, as all of these. */
export function percent(share: Known): string {
  return shown(share, (value) => `${(Math.floor(value * 10_000) / 100).toFixed(2)}%`);
}

/** `12.3`, in a second. */
export function rate(perSecond: Known): string {
  return shown(perSecond, (value) => value.toFixed(1));
}

/** A whole number. */
export function count(value: Known): string {
  return shown(value, String);
}

/** Seconds as `0.4ms`, `17ms`, `1.2s`, `35s` or `12m`. */
export function latency(seconds: Known): string {
  return shown(seconds, (value) => {
    if (value < 0.01) return `${(value * 1000).toFixed(1)}ms`;
    if (value < 1) return `${Math.round(value * 1000)}ms`;
    if (value < 10) return `${value.toFixed(1)}s`;
    return value < 600 ? `${Math.round(value)}s` : `${Math.round(value / 60)}m`;
  });
}

const sizes = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `512B`, `1.5MiB`. */
export function bytes(value: Known): string {
  return shown(value, (size) => {
    let [rest, unit] = [size, 0];
    for (; rest >= 1024 && unit < sizes.length - 1; unit += 1) rest /= 1024;
    return `${unit === 0 ? rest : rest.toFixed(1)}${sizes[unit] ?? ''}`;
  });
}

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** `90s`, `1.5m`, `1h` or plain seconds, in milliseconds; undefined for what is none. */
export function durationMs(text: string): number | undefined {
  const [, number, unit = 's'] = /^(\d{1,7}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * unitsMs[unit as keyof typeof unitsMs];
}
