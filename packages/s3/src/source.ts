/** What is to be written, and the reading of it. */

import { PartReader, type LTXBody } from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { leavable } from './leavable.ts';

export interface Upload {
  readonly key: string;
  readonly body: Pick<LTXBody, 'sizeBytes' | 'open'>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Headers of a conditional write. */
  readonly condition: { readonly IfNoneMatch?: '*'; readonly IfMatch?: string };
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

export interface Uploaded {
  readonly version: string;
  /** By the server's clock. */
  readonly modifiedAt: Date;
}

/** The body's bytes, to be left at once when the call is aborted, even if the source hangs. */
export function openSource(bucket: Bucket, of: Upload): PartReader {
  const source = leavable(of.body.open(), [of.signal, bucket.work.closing]);
  return new PartReader(source, of.body.sizeBytes, of.what);
}
