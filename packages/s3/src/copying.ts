/** Copies an object within its bucket, on the server's side. */

import { ReplicationError } from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { customerKey, storage } from './headers.ts';
import { request } from './requests.ts';

/** CopyObject copies no larger objects. */
const COPY_BYTES_MAX = 5 * 1024 ** 3;

export interface Copied {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

/** REPLICA_UNSUPPORTED for more than 5 GiB. Metadata go along. */
export async function copyKey(
  bucket: Bucket,
  from: string,
  to: string,
  { what, signal }: { readonly what: string; readonly signal: AbortSignal | undefined },
): Promise<Copied> {
  const { client, sdk, config } = bucket;
  const head = new sdk.HeadObjectCommand({
    Bucket: config.bucket,
    Key: from,
    ...customerKey(bucket),
  });
  const reading = { signals: [signal], whenAborted: 'cut' } as const;
  const { ContentLength: sizeBytes = 0, ETag } = await request(
    bucket,
    what,
    reading,
    (abortSignal) => client.send(head, { abortSignal }),
  );
  if (sizeBytes > COPY_BYTES_MAX) {
    const message = `${what}: ${sizeBytes} bytes, and S3 copies ${COPY_BYTES_MAX} at most`;
    throw new ReplicationError('REPLICA_UNSUPPORTED', message);
  }
  const copy = new sdk.CopyObjectCommand({
    Bucket: config.bucket,
    Key: to,
    CopySource: copySource(config.bucket, from),
    ...(ETag !== undefined && { CopySourceIfMatch: ETag }), // so that the size is this one's
    ...storage(bucket),
    ...sourceKey(bucket),
  });
  const writing = { signals: [signal], whenAborted: 'settle' } as const;
  const { CopyObjectResult } = await request(bucket, what, writing, (abortSignal) =>
    client.send(copy, { abortSignal }),
  );
  return { sizeBytes, modifiedAt: CopyObjectResult?.LastModified ?? new Date() };
}

function copySource(bucket: string, key: string): string {
  const place = bucket.startsWith('arn:') ? `${bucket}/object/${key}` : `${bucket}/${key}`;
  return place.split('/').map(encodeURIComponent).join('/');
}

function sourceKey(bucket: Bucket): Record<string, string> {
  const key = customerKey(bucket);
  if (key === undefined) return {};
  return Object.fromEntries(
    Object.entries(key).map(([name, value]) => [`CopySource${name}`, value as string]),
  );
}
