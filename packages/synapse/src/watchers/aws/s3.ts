import type * as Library from '@aws-sdk/client-s3';

import { awsFailure } from './failure.js';
import { optionalLibrary } from './optional.js';

/** An object of S3, and the most that is read of it. */
export interface S3Object {
  readonly bucket: string;
  readonly key: string;
  readonly maxBytes: number;
}

/** Reads an object, time and again, on connections that are kept. */
export interface S3Reader {
  /** The object as text. Rejects when it is larger than it may be. */
  read(signal: AbortSignal): Promise<string>;
  close(): void;
}

/**
 * Opens nothing yet: the library is loaded with the first reading. Region, credentials and endpoint are those of the
 * usual chain (environment, files, role of the instance; AWS_ENDPOINT_URL).
 */
export function openS3({ bucket, key, maxBytes }: S3Object): S3Reader {
  let client: Library.S3Client | undefined;
  return {
    read: async (signal) => {
      const library = '@aws-sdk/client-s3';
      const { S3Client, GetObjectCommand } = await optionalLibrary(
        library,
        () => import('@aws-sdk/client-s3'),
      );
      // Whoever reads tries again by itself. By path, for not every server that is not AWS's knows names of buckets.
      client ??= new S3Client({ maxAttempts: 1, forcePathStyle: true });
      try {
        const command = new GetObjectCommand({ Bucket: bucket, Key: key });
        const { Body: body, ContentLength: length = 0 } = await client.send(command, { abortSignal: signal });
        if (length > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
        return await readAll((body ?? []) as AsyncIterable<Uint8Array>, maxBytes);
      } catch (error) {
        throw awsFailure(error);
      }
    },
    close: () => client?.destroy(),
  };
}

async function readAll(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    // A server may say less than it sends.
    if (size > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
