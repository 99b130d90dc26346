/** What all calls to a bucket share: signals, names of errors, headers of encryption and storage. */

import { createHash } from 'node:crypto';
import { isError, ReplicationError } from '@sluice/core/backend';
import type { Bucket } from './destination.ts';
import { toReplicationError } from './errors.ts';

/** Runs one request. Rethrows an abort's reason untouched; gives everything else a code. */
export async function request<Result>(
  bucket: Bucket,
  what: string,
  signal: AbortSignal | undefined,
  send: (abortSignal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  bucket.closing.throwIfAborted();
  signal?.throwIfAborted();
  const any = signal === undefined ? bucket.closing : AbortSignal.any([bucket.closing, signal]);
  try {
    return await send(any);
  } catch (error) {
    if (any.aborted) throw any.reason as Error;
    throw isError(error) ? error : toReplicationError(error, what);
  }
}

/** Headers of a customer's key, where one is configured. */
export function customerKey(bucket: Bucket): {
  SSECustomerAlgorithm?: string;
  SSECustomerKey?: string;
  SSECustomerKeyMD5?: string;
} {
  const { sseCustomerKey } = bucket.config;
  if (sseCustomerKey === undefined) return {};
  const key = Buffer.from(sseCustomerKey.reveal(), 'base64');
  if (key.length !== 32) {
    throw new ReplicationError(
      'CONFIG_INVALID',
      `sse-customer-key has ${key.length} bytes: it is 32 bytes in base64`,
    );
  }
  return {
    SSECustomerAlgorithm: 'AES256',
    SSECustomerKey: key.toString('base64'),
    SSECustomerKeyMD5: createHash('md5').update(key).digest('base64'),
  };
}

/** What every new object is given. */
export function storage(bucket: Bucket): {
  StorageClass?: 'STANDARD';
  ServerSideEncryption?: 'aws:kms';
  SSEKMSKeyId?: string;
} {
  const { storageClass, sseKMSKeyID } = bucket.config;
  return {
    // Providers have classes of their own; the SDK's type knows AWS's only.
    ...(storageClass !== undefined && { StorageClass: storageClass as 'STANDARD' }),
    ...(sseKMSKeyID !== undefined && { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: sseKMSKeyID }),
    ...customerKey(bucket),
  };
}

/** Content-MD5 where the payload is not signed: something must vouch for the bytes. */
export function contentMD5(bucket: Bucket, bytes: Uint8Array): { ContentMD5?: string } {
  if (bucket.config.signPayload) return {}; // its SHA-256 is in the signature
  return { ContentMD5: createHash('md5').update(bytes).digest('base64') };
}
