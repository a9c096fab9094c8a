/** Host and port of a node's data; undefined when they cannot be told. */
function endpointOf(data: Buffer): string | undefined {
  try {
    const value: unknown = JSON.parse(data.toString());
    if (typeof value !== 'object' || value === null) return undefined;
    const { host, port } = value as { readonly host?: unknown; readonly port?: unknown };
    if (typeof host !== 'string' || (typeof port !== 'number' && typeof port !== 'string')) return undefined;
    return `${host}\n${port}`;
  } catch {
    return undefined;
  }
}

/** True when both nodes' data describe the same copy of a service: equal bytes, or the same host and port. */
export function sameEndpoint(a: Buffer, b: Buffer): boolean {
  if (a.equals(b)) return true;
  const endpoint = endpointOf(a);
  return endpoint !== undefined && endpoint === endpointOf(b);
}
