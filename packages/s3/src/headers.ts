/** What every object that we write is given, and what it takes to read it back. */

import { createHash } from 'node:crypto';
import type { Bucket } from './bucket.ts';

interface CustomerKey {
  SSECustomerAlgorithm: 'AES256';
  SSECustomerKey: string;
  SSECustomerKeyMD5: string;
}

/** The customer's key, where one is configured: it goes along with each read and each write. */
export function customerKey(bucket: Bucket): CustomerKey | undefined {
  const key = bucket.config.sseCustomerKey?.reveal();
  if (key === undefined) return undefined;
  return {
    SSECustomerAlgorithm: 'AES256',
    SSECustomerKey: key,
    SSECustomerKeyMD5: md5(Buffer.from(key, 'base64')),
  };
}

interface Storage extends Partial<CustomerKey> {
  StorageClass?: 'STANDARD';
  ServerSideEncryption?: 'aws:kms';
  SSEKMSKeyId?: string;
}

/** Of new objects: class and encryption. */
export function storage(bucket: Bucket): Storage {
  const { storageClass, sseKMSKeyID } = bucket.config;
  return {
    // Providers have classes of their own; the SDK's type knows those of AWS only.
    ...(storageClass !== undefined && { StorageClass: storageClass as 'STANDARD' }),
    ...(sseKMSKeyID !== undefined && { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: sseKMSKeyID }),
    ...customerKey(bucket),
  };
}

/** Where the payload is not signed, Content-MD5 vouches for the bytes: some server must refuse half of them. */
export function contentMD5(bucket: Bucket, bytes: Uint8Array): { ContentMD5?: string } {
  return bucket.config.signPayload ? {} : { ContentMD5: md5(bytes) };
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}
