/** A bucket with one set of credentials: what its requests are. Core makes replicas of them. */

import type { Readable } from 'node:stream';
import {
  Budget,
  keyedDestination,
  mendEnvironment,
  NotTheProvider,
  rangeHeader,
  ReplicationError,
  sizeOfContentRange,
  Work,
  type ConnectContext,
  type Destination,
  type StoreCall,
  type KeyedCopied,
  type KeyedDeletion,
  type KeyedOpened,
  type KeyedOpening,
  type KeyedPage,
  type KeyedPaging,
  type KeyedStore,
  type KeyFailure,
} from '@sluice/core/backend';
import { customerKey, lock, optionsOf, send, storage, type Bucket } from './bucket.ts';
import type { S3Config } from './config.ts';
import { codeOfObject, toReplicationError } from './errors.ts';
import { presetFor } from './presets.ts';
import { Removals } from './removals.ts';
import { makeClient } from './sdk.ts';
import { upload } from './upload.ts';

/** DeleteObjects takes no more keys. */
const DELETED_KEYS_MAX = 1_000;
/** CopyObject copies no larger objects. */
const COPY_BYTES_MAX = 5 * 1024 ** 3;

/** What the SDK reads by itself. */
const VARIABLES = /^AWS_/;
/** What was not said; core takes no such entry. */
const NEVER = new Date(NaN);

/** Sends nothing: what is not right is told by the first call. */
export async function connect(config: S3Config, context: ConnectContext): Promise<Destination> {
  const { logger, access } = context;
  for (const line of mendEnvironment(VARIABLES)) logger.info(line);
  const sdk = await import('@aws-sdk/client-s3');
  const name = `s3://${config.bucket}`;
  const preset = presetFor(config.endpoint);
  const client = makeClient(config, preset, sdk);
  const work = new Work(name);
  const budget = new Budget((config.partsAtOnce ?? preset.partsAtOnce) * config.partSizeBytes);
  const bucket = { client, sdk, config, preset, logger, work, budget, removals: new Removals() };
  return keyedDestination({ ...storeOf(name, bucket), access });
}

function storeOf(name: string, bucket: Bucket): KeyedStore {
  const { client, preset, work } = bucket;
  return {
    name,
    layout: 'hex-level',
    capabilities: {
      ranges: true,
      ...(preset.conditions === 'honoured' && { ifAbsent: 'any-size' }),
    },
    work,
    listPage: (call) => listPage(bucket, call),
    open: (key, call) => openObject(bucket, key, call),
    bodyError: toReplicationError,
    put: (of) => upload(bucket, of),
    delete: (key, call) => deleteObject(bucket, key, call),
    batches:
      preset.deletes === 'one-by-one'
        ? undefined
        : {
            keysMax: DELETED_KEYS_MAX,
            delete: (keys, call) => deleteObjects(bucket, keys, call),
          },
    copy: (from, to, call) => copyObject(bucket, from, to, call),
    close: () => client.destroy(),
  };
}

async function listPage(bucket: Bucket, call: KeyedPaging): Promise<KeyedPage> {
  const { startAfter, pageToken } = call;
  const command = new bucket.sdk.ListObjectsV2Command({
    Bucket: bucket.config.bucket,
    Prefix: call.prefix,
    // S3 knows no start that is an object's own key: those listings are short.
    ...(startAfter !== undefined && { StartAfter: startAfter }),
    ...(pageToken !== undefined && { ContinuationToken: pageToken }),
  });
  const page = await send(bucket, command, 'cut', call);
  const { Contents = [], IsTruncated, NextContinuationToken } = page;
  return {
    objects: Contents.map(({ Key = '', Size = NaN, LastModified = NEVER, ETag = '' }) => {
      return { key: Key, sizeBytes: Size, modifiedAt: LastModified, version: ETag };
    }),
    nextPageToken: IsTruncated === true ? tokenOf(NextContinuationToken, call.what) : undefined,
  };
}

/** A listing that goes on and does not say where is not a whole one. */
function tokenOf(token: string | undefined, what: string): string {
  if (token !== undefined && token !== '') return token;
  const message = `${what}: the server says that the listing goes on, and gives no token to go on with`;
  throw new ReplicationError('REPLICA_UNAVAILABLE', message);
}

async function openObject(bucket: Bucket, key: string, call: KeyedOpening): Promise<KeyedOpened> {
  const { range, version } = call;
  const command = new bucket.sdk.GetObjectCommand({
    Bucket: bucket.config.bucket,
    Key: key,
    ...(range !== undefined && { Range: rangeHeader(range) }),
    ...(version !== undefined && { IfMatch: version }),
    ...customerKey(bucket),
  });
  return await bucket.work.open(optionsOf(call, 'cut'), async (abortSignal) => {
    const answer = await bucket.client.send(command, { abortSignal });
    const stream = answer.Body as Readable;
    const total = sizeOfContentRange(answer.ContentRange);
    if (range !== undefined && total === undefined) {
      stream.destroy();
      throw new ReplicationError(
        'REPLICA_UNSUPPORTED',
        `${call.what}: the server answers with the whole object where a range was asked for`,
      );
    }
    return {
      sizeBytes: total ?? answer.ContentLength ?? 0,
      modifiedAt: answer.LastModified ?? new Date(0),
      version: answer.ETag ?? '',
      stream,
    };
  });
}

async function deleteObject(bucket: Bucket, key: string, call: KeyedDeletion): Promise<void> {
  const command = new bucket.sdk.DeleteObjectCommand({
    Bucket: bucket.config.bucket,
    Key: key,
    ...(call.version !== undefined && { IfMatch: call.version }),
  });
  await send(bucket, command, 'settle', call);
}

async function deleteObjects(
  bucket: Bucket,
  keys: readonly string[],
  call: StoreCall,
): Promise<KeyFailure[]> {
  const command = new bucket.sdk.DeleteObjectsCommand({
    Bucket: bucket.config.bucket,
    // Quiet: keys that are gone need not come back.
    Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
  });
  const { Errors = [] } = await send(bucket, command, 'settle', call);
  return Errors.flatMap(({ Key = '', Code = 'failed', Message = '' }) => {
    const code = codeOfObject(Code);
    return code === 'REPLICA_NOT_FOUND' ? [] : [{ key: Key, code, message: `${Code}: ${Message}` }];
  });
}

/** REPLICA_UNSUPPORTED for more than 5 GiB. Metadata go along. */
async function copyObject(
  bucket: Bucket,
  from: string,
  to: string,
  call: StoreCall,
): Promise<KeyedCopied> {
  const { sdk, config } = bucket;
  const key = customerKey(bucket);
  const head = new sdk.HeadObjectCommand({ Bucket: config.bucket, Key: from, ...key });
  const { ContentLength: sizeBytes = 0, ETag = '' } = await send(bucket, head, 'cut', call);
  if (sizeBytes > COPY_BYTES_MAX) {
    const message = `${call.what}: ${sizeBytes} bytes, and S3 copies ${COPY_BYTES_MAX} at most`;
    throw new ReplicationError('REPLICA_UNSUPPORTED', message);
  }
  const copy = new sdk.CopyObjectCommand({
    Bucket: config.bucket,
    Key: to,
    CopySource: copySource(config.bucket, from),
    CopySourceIfMatch: ETag, // so that the size is this one's
    ...storage(bucket),
    ...lock(bucket),
    ...(key !== undefined && {
      CopySourceSSECustomerAlgorithm: key.SSECustomerAlgorithm,
      CopySourceSSECustomerKey: key.SSECustomerKey,
      CopySourceSSECustomerKeyMD5: key.SSECustomerKeyMD5,
    }),
  });
  const { CopyObjectResult: copied } = await send(bucket, copy, 'settle', call);
  if (copied?.ETag) return { sizeBytes, modifiedAt: copied.LastModified ?? new Date() };
  throw toReplicationError(new NotTheProvider({ status: 200, lacks: 'no ETag' }), call.what);
}

function copySource(bucket: string, key: string): string {
  const place = bucket.startsWith('arn:') ? `${bucket}/object/${key}` : `${bucket}/${key}`;
  return place.split('/').map(encodeURIComponent).join('/');
}
