const iso = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?$/i;

/**
 * A time as ISO 8601 has it, in wall clock milliseconds: `2030-01-31T12:00:00Z`. Without a zone it is this host's
 * own; without a time of day the day's beginning. Undefined for anything else.
 */
export function momentOf(text: string): number | undefined {
  const [, day = '', time = '00:00', zone = ''] = iso.exec(text.trim()) ?? [];
  const at = Date.parse(`${day}T${time}${zone.toUpperCase()}`);
  const midnight = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(at) || Number.isNaN(midnight)) return undefined;
  // The 30th of February would be taken for the 2nd of March.
  return new Date(midnight).toISOString().startsWith(day) ? at : undefined;
}
