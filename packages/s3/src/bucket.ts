/** One bucket: the state that its requests share, how a request is sent, and the fields of new objects. */

import { createHash } from 'node:crypto';
import type {
  $Command,
  S3Client,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3';
import type { Logger } from '@sluice/core/backend';
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

export interface Bucket {
  readonly client: S3Client;
  /** Loaded when the first client connects, because loading it is slow. */
  readonly sdk: typeof import('@aws-sdk/client-s3');
  readonly config: S3Config;
  readonly preset: Preset;
  readonly logger: Logger;
  readonly requests: Requests;
  readonly memory: PartMemory;
  readonly removals: Removals;
}

/** Rethrows the reason of an abort unchanged; converts any other error. */
export function optionsOf({ what, signal }: Call, whenAborted: WhenAborted): RequestOptions {
  return { signals: [signal], whenAborted, toError: (error) => toReplicationError(error, what) };
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

/** The customer's key, if configured. It is sent with each read and each write. */
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

/** Storage class and encryption of new objects. */
export function storage(bucket: Bucket): Storage {
  const { storageClass, sseKMSKeyID } = bucket.config;
  return {
    // The SDK's type has only the classes of AWS, but other providers have their own.
    ...(storageClass !== undefined && { StorageClass: storageClass as 'STANDARD' }),
    ...(sseKMSKeyID !== undefined && { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: sseKMSKeyID }),
    ...customerKey(bucket),
  };
}

interface Lock {
  ObjectLockMode?: ObjectLock['mode'];
  ObjectLockRetainUntilDate?: Date;
}

/** The lock of new LTX files. Named objects are rewritten, so they are not locked. */
export function lock({ config: { objectLock } }: Bucket): Lock {
  if (objectLock === undefined) return {};
  const until = new Date(Date.now() + objectLock.retentionMs);
  return { ObjectLockMode: objectLock.mode, ObjectLockRetainUntilDate: until };
}

/** Content-MD5 protects the bytes if the payload is not signed. Object Lock requires it. */
export function contentMD5({ config }: Bucket, bytes: Uint8Array): { ContentMD5?: string } {
  const isNeeded = !config.signPayload || config.objectLock !== undefined;
  return isNeeded ? { ContentMD5: md5(bytes) } : {};
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}

/** A removal that takes longer does not delay a new upload. */
const REMOVAL_WAIT_MS_MAX = 2_000;

/**
 * Failed uploads are removed in the background. A new upload of the same key waits for that: a server
 * that stores the uploads of a key in one folder (versitygw 1.8) would remove that folder, and answer
 * the new upload with a 500.
 */
export class Removals {
  readonly #running = new Map<string, Promise<void>>();

  /** `removal` must not reject. */
  add(key: string, removal: Promise<void>): void {
    const before = this.#running.get(key);
    const all = Promise.all([before, removal]).then(() => {
      if (this.#running.get(key) === all) this.#running.delete(key);
    });
    this.#running.set(key, all);
  }

  /** Resolves when no removal of this key is running, or after an abort or 2 s. */
  async settled(key: string, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    const running = this.#running.get(key);
    if (running === undefined || signals.some((signal) => signal?.aborted)) return;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const stop = (): void => resolve();
    const timer = setTimeout(stop, REMOVAL_WAIT_MS_MAX);
    for (const signal of signals) signal?.addEventListener('abort', stop, { once: true });
    await Promise.race([running, over]);
    clearTimeout(timer);
    for (const signal of signals) signal?.removeEventListener('abort', stop);
  }
}
