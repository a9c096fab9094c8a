import type * as Library from '@aws-sdk/client-s3';

import { optionalLibrary } from './optional.js';

/** An object of S3, and the most that is read of it. */
export interface S3Object {
  readonly bucket: string;
  readonly key: string;
  readonly maxBytes: number;
}

/** One client for all objects: it holds connections and credentials. */
let client: Library.S3Client | undefined;

/**
 * Reads an object as text. Region, credentials and endpoint are those of the usual chain (environment, files, role of
 * the instance; AWS_ENDPOINT_URL). Rejects when it is larger than `maxBytes`.
 */
export async function readObject({ bucket, key, maxBytes }: S3Object, signal: AbortSignal): Promise<string> {
  const { S3Client, GetObjectCommand } = optionalLibrary('@aws-sdk/client-s3') as typeof Library;
  client ??= new S3Client({ maxAttempts: 1, forcePathStyle: process.env.AWS_ENDPOINT_URL !== undefined });
  const command = new GetObjectCommand({ Bucket: bucket, Key: key });
  const { Body: body, ContentLength: length = 0 } = await client.send(command, { abortSignal: signal });
  const tooLarge = new Error(`larger than ${maxBytes} bytes`);
  if (length > maxBytes) throw tooLarge;
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of (body ?? []) as AsyncIterable<Uint8Array>) {
    size += part.length;
    // A server may say less than it sends.
    if (size > maxBytes) throw tooLarge;
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts).toString('utf8');
}
