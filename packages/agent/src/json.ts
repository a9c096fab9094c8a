const maxDepth = 12;

/**
 * What JSON can say of any value, for logs and status pages: bigints as text, errors with their code
 * and causes, maps as objects, sets as arrays, buffers as text; a cycle or great depth is cut. Never throws.
 */
export function toPlain(value: unknown): unknown {
  return plain(value, []);
}

/** JSON text of any value. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(toPlain(value) ?? null, undefined, indent);
}

function plain(value: unknown, parents: readonly unknown[]): unknown {
  switch (typeof value) {
    case 'bigint':
      return value.toString();
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'symbol':
    case 'function':
      return `[${typeof value}]`;
    case 'object':
      break;
    case 'string':
    case 'boolean':
    case 'undefined':
      return value;
  }
  if (value === null) return null;
  if (parents.includes(value)) return '[circular]';
  if (parents.length >= maxDepth) return '[…]';
  try {
    return object(value, [...parents, value]);
  } catch (error) {
    return `[unreadable: ${String(error)}]`;
  }
}

function object(value: object, parents: readonly unknown[]): unknown {
  if (value instanceof Error) return errorFields(value, parents);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (value instanceof Map)
    return entries(
      [...value].map(([key, member]) => [String(key), member]),
      parents,
    );
  if (Array.isArray(value) || value instanceof Set)
    return Array.from(value, (member) => plain(member, parents));
  const toJSON = (value as { toJSON?: unknown }).toJSON;
  if (typeof toJSON === 'function') return plain((toJSON as () => unknown).call(value), parents);
  return entries(Object.entries(value), parents);
}

function entries(list: readonly (readonly [string, unknown])[], parents: readonly unknown[]): unknown {
  return Object.fromEntries(list.map(([key, member]) => [key, plain(member, parents)]));
}

/** What an operator needs of an error; the stack only where it tells a bug, not of expected failures. */
function errorFields(error: Error, parents: readonly unknown[]): unknown {
  const { name, message, stack, cause, ...own } = error as Error & Record<string, unknown>;
  const expected = typeof own.code === 'string';
  return {
    name,
    message,
    ...(entries(Object.entries(own), parents) as object),
    ...(cause === undefined ? {} : { cause: plain(cause, parents) }),
    ...(expected ? {} : { stack }),
  };
}
