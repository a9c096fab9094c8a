/** In no name of a service that has sections (see `sectionName`), nor of a level. */
const separator = '@';

/** Under which name the tier of a service is kept in mind, shown and counted: `web@zone`. */
export function tierName(service: string, level: string): string {
  return `${service}${separator}${level}`;
}

/** The service of which sections with this name are a part: its own, or one of its tiers. */
export function ownerOf(service: string): string {
  const end = service.lastIndexOf(separator);
  return end < 0 ? service : service.slice(0, end);
}

/** The level of the tier with this name. */
export function tierLevel(tier: string): string {
  return tier.slice(tier.lastIndexOf(separator) + 1);
}

/** True for the sections of a tier: all its servers are in those of its service, too. */
export function isTier(service: string): boolean {
  return service.includes(separator);
}
