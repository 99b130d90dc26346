/** One bucket: the state that its requests share, how one is sent, and the fields of each new object. */

import { createHash } from 'node:crypto';
import type {
  $Command,
  S3Client,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3';
import type { Logger, ReplicationError } from '@sluice/core/backend';
import type {
  Call,
  PartMemory,
  RequestOptions,
  Requests,
  WhenAborted,
} from '@sluice/core/backend/http';
import type { ObjectLock, S3Config } from './config.ts';
import { toReplicationError } from './errors.ts';
import type { Preset } from './presets.ts';
import type { Removals } from './removals.ts';

export interface Bucket {
  readonly client: S3Client;
  /** Loaded when the first client connects: it takes longer than all else at a start. */
  readonly sdk: typeof import('@aws-sdk/client-s3');
  readonly config: S3Config;
  readonly preset: Preset;
  readonly logger: Logger;
  readonly requests: Requests;
  readonly memory: PartMemory;
  readonly removals: Removals;
}

/** Of one request. Rethrows an abort's reason untouched; gives everything else a code. */
export function optionsOf({ what, signal }: Call, whenAborted: WhenAborted): RequestOptions {
  const toError = (error: unknown): ReplicationError => toReplicationError(error, what);
  return { signals: [signal], whenAborted, toError };
}

type Command<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = $Command<
  Input,
  Output,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>;

export async function send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
  bucket: Bucket,
  command: Command<Input, Output>,
  whenAborted: WhenAborted,
  call: Call,
): Promise<Output> {
  return await bucket.requests.request(optionsOf(call, whenAborted), (abortSignal) =>
    bucket.client.send(command, { abortSignal }),
  );
}

interface CustomerKey {
  SSECustomerAlgorithm: 'AES256';
  SSECustomerKey: string;
  SSECustomerKeyMD5: string;
}

/** The customer's key, where one is configured: it goes along with each read and each write. */
export function customerKey({ config }: Bucket): CustomerKey | undefined {
  const key = config.sseCustomerKey?.reveal();
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

interface Lock {
  ObjectLockMode?: ObjectLock['mode'];
  ObjectLockRetainUntilDate?: Date;
}

/** Of new LTX files. Named objects are written again and again. */
export function lock({ config: { objectLock } }: Bucket): Lock {
  if (objectLock === undefined) return {};
  const until = new Date(Date.now() + objectLock.retentionMs);
  return { ObjectLockMode: objectLock.mode, ObjectLockRetainUntilDate: until };
}

/** Where the payload is not signed, Content-MD5 vouches for the bytes: some server must refuse half of them. What is locked must have it. */
export function contentMD5({ config }: Bucket, bytes: Uint8Array): { ContentMD5?: string } {
  const isWanted = !config.signPayload || config.objectLock !== undefined;
  return isWanted ? { ContentMD5: md5(bytes) } : {};
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}
