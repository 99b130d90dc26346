/** Keys of a bucket, page after page. */

import type { Bucket } from './destination.ts';
import { request } from './requests.ts';

export interface ListedKey {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
}

export async function* listKeys(
  bucket: Bucket,
  what: string,
  options: {
    readonly prefix: string;
    readonly startAfter?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): AsyncGenerator<ListedKey, void, undefined> {
  const { client, sdk, config } = bucket;
  let token: string | undefined;
  do {
    const command = new sdk.ListObjectsV2Command({
      Bucket: config.bucket,
      Prefix: options.prefix,
      ...(options.startAfter !== undefined && { StartAfter: options.startAfter }),
      ...(token !== undefined && { ContinuationToken: token }),
    });
    const page = await request(bucket, what, options.signal, (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    for (const { Key, Size = 0, LastModified = new Date(0), ETag = '' } of page.Contents ?? []) {
      options.signal?.throwIfAborted();
      bucket.closing.throwIfAborted();
      if (Key !== undefined) {
        yield { key: Key, sizeBytes: Size, modifiedAt: LastModified, version: ETag };
      }
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}
