/** One line of Prometheus's text format. */
export interface Sample {
  /** Values are as they stand there, escaped. */
  readonly labels: ReadonlyMap<string, string>;
  readonly value: string;
}

/** A value as it stands between quotes. */
const quoted = String.raw`"((?:[^"\\]|\\.)*)"`;

/** The samples of a metric with labels in Prometheus's text format. */
export function samplesOf(text: string, name: string): readonly Sample[] {
  return text.split('\n').flatMap((line): Sample[] => {
    if (!line.startsWith(`${name}{`)) return [];
    const end = line.lastIndexOf('} ');
    const labels = [...line.slice(name.length, end).matchAll(new RegExp(`(\\w+)=${quoted}`, 'g'))];
    return [
      {
        labels: new Map(labels.map(([, label = '', value = '']) => [label, value])),
        value: line.slice(end + 2),
      },
    ];
  });
}

/** A value as it has to stand between quotes. */
export function escaped(value: string): string {
  return value.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`);
}
