const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const hash = /^(?=.*\d)[0-9a-f]{16,}$/i;

/** A path with `{id}` for each segment that stands for one thing among many: numbers, UUIDs, long hexadecimal ones. */
export function pathPattern(path: string): string {
  return path
    .split('/')
    .map((part) => (/^\d+$/.test(part) || uuid.test(part) || hash.test(part) ? '{id}' : part))
    .join('/');
}
