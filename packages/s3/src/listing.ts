/** Keys of a bucket, page after page. */

import type { AbortableOptions } from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { request } from './requests.ts';

export interface ListedKey {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
}

export interface ListKeysOptions extends AbortableOptions {
  readonly prefix: string;
  /** Only what comes behind this key. */
  readonly startAfter?: string | undefined;
}

/** One recursive listing, in the order of the keys' bytes. */
export async function* listKeys(
  bucket: Bucket,
  what: string,
  { prefix, startAfter, signal }: ListKeysOptions,
): AsyncGenerator<ListedKey, void, undefined> {
  const { client, sdk, config, work } = bucket;
  let token: string | undefined;
  do {
    const command = new sdk.ListObjectsV2Command({
      Bucket: config.bucket,
      Prefix: prefix,
      ...(startAfter !== undefined && { StartAfter: startAfter }),
      ...(token !== undefined && { ContinuationToken: token }),
    });
    const options = { signals: [signal], whenAborted: 'cut' } as const;
    const page = await request(bucket, what, options, (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    for (const { Key, Size = 0, LastModified = new Date(0), ETag = '' } of page.Contents ?? []) {
      work.check(signal);
      if (Key === undefined) continue;
      yield { key: Key, sizeBytes: Size, modifiedAt: LastModified, version: ETag };
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}
