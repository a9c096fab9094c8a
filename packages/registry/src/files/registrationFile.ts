import { nerveCodec } from '../codecs/nerve.js';
import { isObject, parseObject } from '../codecs/fields.js';
import { DecodeError } from '../codecs/types.js';
import type { Instance } from '../instance.js';

/** What a file of a folder registry says. */
export interface RegistrationFile {
  readonly service: string;
  readonly instance: Instance;
  /** The file counts for so many seconds after its time of modification. */
  readonly ttlSeconds: number;
  /** Tells one run of a registrar from another. */
  readonly owner: string;
}

/** The content of a registration's file: JSON, with the data of a node in `instance`, and a line break at the end. */
export function encodeRegistrationFile({ service, instance, ttlSeconds, owner }: RegistrationFile): Buffer {
  const head = JSON.stringify({ service, ttl: ttlSeconds, owner });
  // The codec's own bytes: what a number looks like is part of them.
  return Buffer.from(`${head.slice(0, -1)},"instance":${nerveCodec.encode(instance).toString()}}\n`);
}

/** Reads a registration's file. Throws DecodeError. */
export function decodeRegistrationFile(data: Buffer): RegistrationFile {
  const { service, instance, ttl, owner } = parseObject(data);
  if (typeof service !== 'string' || service === '') throw new DecodeError('No service');
  if (typeof ttl !== 'number' || !(ttl > 0)) throw new DecodeError('The ttl is not a number of seconds');
  if (typeof owner !== 'string' || owner === '') throw new DecodeError('No owner');
  if (!isObject(instance)) throw new DecodeError('No instance');
  return {
    service,
    instance: nerveCodec.decode(Buffer.from(JSON.stringify(instance))),
    ttlSeconds: ttl,
    owner,
  };
}

/**
 * Whether the registrar behind a file still renews it. `modifiedMs` and `nowMs` are wall clock milliseconds, the first
 * by the writer's clock; one from the future counts, as clocks differ.
 */
export function isFresh({ ttlSeconds }: RegistrationFile, modifiedMs: number, nowMs: number): boolean {
  return nowMs - modifiedMs < ttlSeconds * 1000;
}
