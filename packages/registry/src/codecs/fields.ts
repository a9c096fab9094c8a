import type { Instance, Json } from '../instance.js';
import { DecodeError } from './types.js';

export type JsonObject = Readonly<Record<string, Json>>;

/** ZooKeeper's own limit on a node's data (jute.maxbuffer), in bytes. */
const maxBytes = 1024 * 1024;
/** Ruby's JSON.parse stops here too. */
const maxDepth = 100;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The JSON object in `data`. Throws DecodeError when there is none. */
export function parseObject(data: Buffer): JsonObject {
  if (data.length === 0) throw new DecodeError('No data');
  if (data.length > maxBytes) throw new DecodeError(`More than ${maxBytes} bytes of data`);
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(data));
  } catch (error) {
    // The parser's own message quotes the data, which is anyone's.
    throw new DecodeError(error instanceof SyntaxError ? 'Not JSON' : 'Not UTF-8 text');
  }
  if (!isObject(value)) throw new DecodeError('Not a JSON object');
  // Each level has two brackets: few instances have as many bytes.
  if (data.length > 2 * maxDepth && isDeeper(value, maxDepth))
    throw new DecodeError(`Nested more than ${maxDepth} levels deep`);
  return value;
}

/**
 * The fields that nerve's format and a serverset's endpoint share. Host and port must be usable; an
 * optional field that is not what it should be is left out, as the instance still serves.
 */
export function readEndpoint(endpoint: JsonObject): Instance {
  const { host, weight, haproxy_server_options: options, labels } = endpoint;
  if (host === undefined || host === null) throw new DecodeError('No host');
  if (typeof host !== 'string' || host === '') throw new DecodeError('The host is not a name or an address');
  const name = readName(endpoint.name);
  const share = readWeight(weight);
  return {
    host,
    ...readPort(endpoint.port),
    ...(name === undefined ? {} : { name }),
    ...(share === undefined ? {} : { weight: share }),
    ...(typeof options === 'string' ? { haproxyServerOptions: options } : {}),
    ...(isObject(labels) ? { labels } : {}),
    ...(endpoint.available === false ? { available: false } : {}),
  };
}

function readPort(value: Json | undefined): Pick<Instance, 'port' | 'portAsText'> {
  if (value === undefined || value === null) throw new DecodeError('No port');
  const port = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new DecodeError(`The port is not an integer from 1 to 65535: ${excerpt(value)}`);
  }
  return value === String(port) ? { port, portAsText: true } : { port };
}

/** Enough of a value to recognise it, and nothing that a terminal would act on. */
function excerpt(value: Json): string {
  return JSON.stringify(value)
    .slice(0, 40)
    .replaceAll(/[^\x20-\x7e]/g, '?');
}

/** Ruby interpolates whatever it is into the server's name. */
function readName(value: Json | undefined): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function readWeight(value: Json | undefined): number | undefined {
  const weight = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof weight === 'number' && Number.isSafeInteger(weight) && weight >= 0 ? weight : undefined;
}

/** True for a JSON object (not null, not an array). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDeeper(value: Json, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner: Json) => isDeeper(inner, levels - 1));
}
