/** Deletes keys: by the thousand where the provider can, else one by one. */

import { isError, ReplicationError, type FileFailure } from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { codeOfObject, isNotImplemented } from './errors.ts';
import { request } from './requests.ts';

/** DeleteObjects takes no more keys. */
const KEYS_MAX = 1_000;
/** DeleteObject requests at once. */
const DELETES_AT_ONCE = 8;

export type KeyFailure = Pick<FileFailure, 'code' | 'message'> & { readonly key: string };

export interface DeleteOptions {
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

/** Buckets whose server has said that it knows no DeleteObjects. */
const WITHOUT_BATCHES = new WeakSet<Bucket>();

/** Tries all; what is still there is what it returns. A key that is gone already is no failure. */
export async function deleteKeys(
  bucket: Bucket,
  keys: readonly string[],
  options: DeleteOptions,
): Promise<KeyFailure[]> {
  const failures: KeyFailure[] = [];
  for (let index = 0; index < keys.length; index += KEYS_MAX) {
    const batch = keys.slice(index, index + KEYS_MAX);
    failures.push(...(await deleteBatch(bucket, batch, options)));
  }
  return failures;
}

async function deleteBatch(
  bucket: Bucket,
  keys: readonly string[],
  options: DeleteOptions,
): Promise<KeyFailure[]> {
  if (bucket.preset.deletes === 'one-by-one' || WITHOUT_BATCHES.has(bucket)) {
    return await deleteEach(bucket, keys, options);
  }
  try {
    return await sendBatch(bucket, keys, options);
  } catch (error) {
    if (!isOfRequest(error)) throw error;
    if (isNotImplemented(error)) {
      WITHOUT_BATCHES.add(bucket);
      return await deleteEach(bucket, keys, options);
    }
    return keys.map((key) => ({ key, code: error.code, message: error.message }));
  }
}

async function sendBatch(
  bucket: Bucket,
  keys: readonly string[],
  { what, signal }: DeleteOptions,
): Promise<KeyFailure[]> {
  const { client, sdk, config } = bucket;
  const command = new sdk.DeleteObjectsCommand({
    Bucket: config.bucket,
    // Quiet: keys that are gone need not come back.
    Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
  });
  const whenAborted = 'settle';
  const { Errors = [] } = await request(
    bucket,
    what,
    { signals: [signal], whenAborted },
    (abortSignal) => client.send(command, { abortSignal }),
  );
  return Errors.flatMap(({ Key = '', Code = 'failed', Message = '' }) => {
    const code = codeOfObject(Code);
    return code === 'REPLICA_NOT_FOUND' ? [] : [{ key: Key, code, message: `${Code}: ${Message}` }];
  });
}

async function deleteEach(
  bucket: Bucket,
  keys: readonly string[],
  options: DeleteOptions,
): Promise<KeyFailure[]> {
  const failures: KeyFailure[] = [];
  const queue = keys.values();
  const lane = async (): Promise<void> => {
    for (const key of queue) {
      try {
        await deleteKey(bucket, key, options);
      } catch (error) {
        if (!isOfRequest(error)) throw error;
        failures.push({ key, code: error.code, message: error.message });
      }
    }
  };
  await Promise.all(Array.from({ length: DELETES_AT_ONCE }, lane));
  return failures;
}

/** One object; one that is not there is no failure, unless a version was asked for. */
export async function deleteKey(
  bucket: Bucket,
  key: string,
  { what, signal, version }: DeleteOptions & { readonly version?: string | undefined },
): Promise<void> {
  const { client, sdk, config } = bucket;
  const command = new sdk.DeleteObjectCommand({
    Bucket: config.bucket,
    Key: key,
    ...(version !== undefined && { IfMatch: version }),
  });
  const options = { signals: [signal], whenAborted: 'settle' } as const;
  try {
    await request(bucket, what, options, (abortSignal) => client.send(command, { abortSignal }));
  } catch (error) {
    if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
    if (version === undefined) return;
    throw new ReplicationError('REPLICA_CONFLICT', `${what}: it is gone`, { cause: error });
  }
}

/** An error of the request, as against an abort or a close, which end the whole call. */
function isOfRequest(error: unknown): error is ReplicationError {
  return isError(error) && error.code !== 'REPLICA_CLOSED';
}
