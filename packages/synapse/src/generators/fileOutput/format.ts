import { byText } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';

/** Longer names no file system takes, with what is put around them while a file is written. In bytes. */
const maxNameBytes = 250;

/** The name of a service's file, or why it can have none: a service must not reach out of the folder. */
export function fileNameOf(
  service: string,
): { readonly name: string } | { readonly name: undefined; readonly problem: string } {
  const name = `${service}.json`;
  if (service === '' || /[/\u0000]/.test(service))
    return { name: undefined, problem: `the name ${JSON.stringify(service)} cannot be that of a file` };
  if (Buffer.byteLength(name) > maxNameBytes)
    return { name: undefined, problem: `the name is too long for a file: ${Buffer.byteLength(name)} bytes` };
  return { name };
}

/** What the file of a service says: as Ruby's synapse writes what it read from ZooKeeper, nulls included. */
export function contentOf(instances: readonly Instance[]): string {
  return JSON.stringify(
    instances.map(({ name, host, port, portAsText, id, weight, haproxyServerOptions, labels }) => ({
      name: name ?? null,
      host,
      port: portAsText === true ? String(port) : port,
      id: id ?? null,
      weight: weight ?? null,
      haproxy_server_options: haproxyServerOptions ?? null,
      labels: labels ?? null,
    })),
  );
}

/** Whether two texts say the same, however they are written; false for what is no JSON. */
export function saysTheSame(text: string, other: string): boolean {
  if (text === other) return true;
  try {
    return canonical(text) === canonical(other);
  } catch {
    return false;
  }
}

function canonical(text: string): string {
  return JSON.stringify(JSON.parse(text), (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => byText(a, b)))
      : value,
  );
}
