/** Text of others, for a terminal: without control characters or anything that changes the direction of writing. */
export function plainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();
}

/** How long ago, in the two largest units at most: `5s`, `12m`, `3h5m`, `2d4h`. `ms` below 0 counts as 0. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  return hours % 24 === 0 ? `${Math.floor(hours / 24)}d` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}

/** Rows below a header, aligned; lines are cut to `width` characters where it is given. Empty columns say `-`. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width?: number,
): readonly string[] {
  const cells = rows.map((row) => header.map((_, column) => plainText(row[column] ?? '') || '-'));
  const all = [header, ...cells];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all.map((row) => {
    const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
    return cut(line.trimEnd(), width);
  });
}

/** The text, or as much of it as fits, with an ellipsis. */
export function cut(line: string, width: number | undefined): string {
  if (width === undefined || width < 20 || line.length <= width) return line;
  return `${line.slice(0, width - 1)}…`;
}
