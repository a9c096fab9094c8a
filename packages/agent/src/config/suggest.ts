/** The one of `known` that `word` is most likely a misspelling of, or undefined when none is close. */
export function closest(word: string, known: Iterable<string>): string | undefined {
  const near = Math.max(1, Math.floor(word.length / 3));
  let best: { readonly key: string; readonly distance: number } | undefined;
  for (const key of known) {
    if (Math.abs(key.length - word.length) > near) continue;
    const distance = normal(key) === normal(word) ? 0 : editDistance(word, key);
    if (distance <= near && (!best || distance < best.distance)) best = { key, distance };
  }
  return best?.key;
}

/** `zkHosts`, `zk-hosts` and `ZK_HOSTS` are all meant as `zk_hosts`. */
function normal(key: string): string {
  return key.replaceAll(/[-_\s]/g, '').toLowerCase();
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
