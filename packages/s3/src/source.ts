/** What is to be written, and the reading of it. */

import { openParts, type LTXBody, type PartReader } from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';

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
  return openParts(of.body, of.what, of.signal, bucket.work.closing);
}
