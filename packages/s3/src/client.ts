/** A bucket with one set of credentials, and its requests. */

import type { Readable } from 'node:stream';

import {
  isError,
  normalizeEnvironment,
  ReplicationError,
  type CallOptions,
  type Capabilities,
  type ConnectContext,
  type DeleteOptions,
  type FileFailure,
  type GetOptions,
  type ListOptions,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
  type PutOptions,
  type ReplicaClient,
} from '@sluice/core/backend';
import {
  checkStored,
  deleteEach,
  goneError,
  listPages,
  deleteError,
  ForeignAnswerError,
  openObject,
  PartMemory,
  rangeHeader,
  Requests,
  sizeOfContentRange,
  type Call,
  type OpenCall,
  type OpenedStream,
  type Page,
} from '@sluice/core/backend/http';
import { customerKey, lock, optionsOf, Removals, send, storage, type Bucket } from './bucket.ts';
import type { S3Config } from './config.ts';
import { codeOfObject, toReplicationError } from './errors.ts';
import { presetFor } from './presets.ts';
import { makeClient } from './sdk.ts';
import { uploadObject } from './upload.ts';

/** Maximum number of keys of DeleteObjects. */
const DELETED_KEYS_MAX = 1_000;
/** Concurrent deletions if the server has no DeleteObjects: half of the sockets, because new files are more urgent. */
const DELETES_AT_ONCE = 8;
/** Maximum size of CopyObject. */
const COPY_BYTES_MAX = 5 * 1024 ** 3;
/** Variables that the SDK reads itself. */
const VARIABLES = /^AWS_/;
/** For a time that the server did not give. Core refuses such an entry. */
const NEVER = new Date(NaN);

/** Sends nothing: errors come with the first call. */
export async function connect(
  config: S3Config,
  { logger, credentials }: ConnectContext,
): Promise<ReplicaClient> {
  for (const line of normalizeEnvironment(VARIABLES)) logger.info(line);
  const sdk = await import('@aws-sdk/client-s3');
  const preset = presetFor(config.endpoint);
  const client = makeClient(config, preset, { sdk, ask: credentials });
  const requests = new Requests(`s3://${config.bucket}`);
  const memory = new PartMemory((config.partsAtOnce ?? preset.partsAtOnce) * config.partSizeBytes);
  const removals = new Removals();
  return new S3Client({ client, sdk, config, preset, logger, requests, memory, removals });
}

class S3Client implements ReplicaClient {
  readonly name: string;
  readonly layout = 'levels';
  readonly capabilities: Capabilities;
  readonly #bucket: Bucket;
  /** False after the server has refused DeleteObjects. */
  #hasDeleteObjects = true;

  constructor(bucket: Bucket) {
    const { config, preset } = bucket;
    this.name = `s3://${config.bucket}`;
    this.#bucket = bucket;
    this.capabilities = {
      ranges: true,
      ...(preset.hasConditions && { conditions: 'any-size', versions: true }),
      deleteMax: DELETED_KEYS_MAX,
      sortedLists: true,
    };
  }

  list(prefix: string, { startAfter, signal }: ListOptions = {}): AsyncIterable<ObjectInfo> {
    const call = { what: `list ${prefix}* at ${this.name}`, signal, prefix };
    return listPages(this.#bucket.requests, call, (pageToken) =>
      listPage(this.#bucket, prefix, { ...call, startAfter, pageToken }),
    );
  }

  async get(key: string, { range, version, signal }: GetOptions = {}): Promise<OpenedObject> {
    const call = { what: `open ${key} at ${this.name}`, signal, range, version };
    return await openObject(this.#bucket.requests, call, {
      open: (at) => openStream(this.#bucket, key, at),
      toError: toReplicationError,
    });
  }

  async put(
    key: string,
    body: ObjectBody,
    { condition, signal }: PutOptions = {},
  ): Promise<ObjectInfo> {
    const what = `write ${key} to ${this.name}`;
    this.#bucket.requests.check(signal);
    const info = await uploadObject(this.#bucket, { what, key, body, condition, signal });
    return checkStored(info, what);
  }

  async delete(keys: readonly string[], { version, signal }: DeleteOptions = {}): Promise<void> {
    const [only] = keys;
    const what = `delete ${keys.length === 1 ? only : `${keys.length} objects`} at ${this.name}`;
    this.#bucket.requests.check(signal);
    if (keys.length === 1 && only !== undefined) {
      return await deleteObject(this.#bucket, only, { what, signal }, version);
    }
    const failures = await this.#deleteMany(keys, { what, signal });
    if (failures.length > 0) throw deleteError(what, failures);
  }

  async copy(from: string, to: string, { signal }: CallOptions = {}): Promise<ObjectInfo> {
    const what = `copy ${from} to ${to} at ${this.name}`;
    return checkStored(await copyObject(this.#bucket, from, to, { what, signal }), what);
  }

  async close(): Promise<void> {
    await this.#bucket.requests.close();
    this.#bucket.client.destroy();
  }

  async #deleteMany(keys: readonly string[], call: Call): Promise<readonly FileFailure[]> {
    if (this.#hasDeleteObjects) {
      try {
        return await deleteObjects(this.#bucket, keys, call);
      } catch (error) {
        if (!isError(error, 'REPLICA_UNSUPPORTED')) throw error;
        this.#hasDeleteObjects = false;
      }
    }
    const parts = keys.map((key) => [key]);
    return await deleteEach(parts, DELETES_AT_ONCE, call.signal, async ([key = '']) => {
      await deleteObject(this.#bucket, key, call, undefined);
    });
  }
}

interface PageCall extends Call {
  readonly startAfter: string | undefined;
  readonly pageToken: string | undefined;
}

async function listPage(bucket: Bucket, prefix: string, call: PageCall): Promise<Page> {
  const { startAfter, pageToken } = call;
  const command = new bucket.sdk.ListObjectsV2Command({
    Bucket: bucket.config.bucket,
    Prefix: prefix,
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

/** A truncated page without a token is an error: the listing would be incomplete. */
function tokenOf(token: string | undefined, what: string): string {
  if (token !== undefined && token !== '') return token;
  const message = `${what}: the server returned a truncated page without a token for the next one`;
  throw new ReplicationError('REPLICA_UNAVAILABLE', message);
}

async function openStream(bucket: Bucket, key: string, call: OpenCall): Promise<OpenedStream> {
  const { range, version } = call;
  const command = new bucket.sdk.GetObjectCommand({
    Bucket: bucket.config.bucket,
    Key: key,
    ...(range !== undefined && { Range: rangeHeader(range) }),
    ...(version !== undefined && { IfMatch: version }),
    ...customerKey(bucket),
  });
  return await bucket.requests.open(optionsOf(call, 'cut'), async (abortSignal) => {
    const answer = await bucket.client.send(command, { abortSignal });
    const stream = answer.Body as Readable;
    const total = sizeOfContentRange(answer.ContentRange);
    if (range !== undefined && total === undefined) {
      stream.destroy();
      throw new ReplicationError(
        'REPLICA_UNSUPPORTED',
        `${call.what}: the server ignored the range and returned the whole object`,
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

/** Deleting a missing key succeeds, unless a version is given. */
async function deleteObject(
  bucket: Bucket,
  key: string,
  call: Call,
  version: string | undefined,
): Promise<void> {
  const command = new bucket.sdk.DeleteObjectCommand({
    Bucket: bucket.config.bucket,
    Key: key,
    ...(version !== undefined && { IfMatch: version }),
  });
  try {
    await send(bucket, command, 'settle', call);
  } catch (error) {
    if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
    if (version !== undefined) throw goneError(call.what, error);
  }
}

async function deleteObjects(
  bucket: Bucket,
  keys: readonly string[],
  call: Call,
): Promise<FileFailure[]> {
  const command = new bucket.sdk.DeleteObjectsCommand({
    Bucket: bucket.config.bucket,
    // Quiet: only errors are returned.
    Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
  });
  const { Errors = [] } = await send(bucket, command, 'settle', call);
  return Errors.flatMap(({ Key: file = '', Code = 'failed', Message = '' }) => {
    const code = codeOfObject(Code);
    return code === 'REPLICA_NOT_FOUND' ? [] : [{ file, code, message: `${Code}: ${Message}` }];
  });
}

/** Copies an object and its metadata. REPLICA_UNSUPPORTED if it is larger than 5 GiB. */
async function copyObject(
  bucket: Bucket,
  from: string,
  to: string,
  call: Call,
): Promise<ObjectInfo> {
  const { sdk, config } = bucket;
  const key = customerKey(bucket);
  const head = new sdk.HeadObjectCommand({ Bucket: config.bucket, Key: from, ...key });
  const { ContentLength: sizeBytes = 0, ETag = '' } = await send(bucket, head, 'cut', call);
  if (sizeBytes > COPY_BYTES_MAX) {
    const message = `${call.what}: ${sizeBytes} bytes, but S3 copies at most ${COPY_BYTES_MAX}`;
    throw new ReplicationError('REPLICA_UNSUPPORTED', message);
  }
  const copy = new sdk.CopyObjectCommand({
    Bucket: config.bucket,
    Key: to,
    CopySource: copySource(config.bucket, from),
    CopySourceIfMatch: ETag, // the version that has this size
    ...storage(bucket),
    ...lock(bucket),
    ...(key !== undefined && {
      CopySourceSSECustomerAlgorithm: key.SSECustomerAlgorithm,
      CopySourceSSECustomerKey: key.SSECustomerKey,
      CopySourceSSECustomerKeyMD5: key.SSECustomerKeyMD5,
    }),
  });
  const { CopyObjectResult: copied } = await send(bucket, copy, 'settle', call);
  if (copied?.ETag) {
    const modifiedAt = copied.LastModified ?? new Date();
    return { key: to, sizeBytes, modifiedAt, version: copied.ETag };
  }
  throw toReplicationError(new ForeignAnswerError({ status: 200, lacks: 'no ETag' }), call.what);
}

function copySource(bucket: string, key: string): string {
  const place = bucket.startsWith('arn:') ? `${bucket}/object/${key}` : `${bucket}/${key}`;
  return place.split('/').map(encodeURIComponent).join('/');
}
