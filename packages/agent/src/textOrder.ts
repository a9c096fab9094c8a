/**
 * Compares texts for `sort`: by their UTF-16 code units, so that the order is the same on every machine, whatever its
 * language.
 */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
