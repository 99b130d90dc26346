/**
 * Writes one object, completely or not at all: one request if it fits into a part, otherwise create,
 * send the parts, complete. If that fails, its parts are removed in the background; the client's close
 * waits for it, the call does not.
 *
 * A failed part is sent again by itself, as is the request that completes the upload. If the response
 * to that request was lost, the upload may be gone because it was completed. The object's ETag, which
 * S3 computes from those of the parts, shows whether it is ours.
 */

import { createHash } from 'node:crypto';

import { isError, messageOf, type ObjectInfo } from '@sluice/core/backend';
import {
  formatTimestamp,
  goneError,
  ForeignAnswerError,
  sendInParts,
  sendLast,
  sendWhole,
  type Call,
  type Upload,
} from '@sluice/core/backend/http';
import { contentMD5, customerKey, lock, optionsOf, send, storage, type Bucket } from './bucket.ts';
import { toReplicationError } from './errors.ts';
import { dateOf } from './wire.ts';

/** The metadata in which Litestream stores the time of a file (x-amz-meta-litestream-timestamp). */
const TIMESTAMP = 'litestream-timestamp';
/** Attempts to remove the parts of an upload. After that, only a lifecycle rule removes them. */
const REMOVAL_ATTEMPTS_MAX = 3;
const REMOVAL_DELAY_MS = 250;

/** A multipart upload. */
interface Multipart {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string;
}

interface SentPart {
  readonly PartNumber: number;
  readonly ETag: string;
}

/** LTX_TRUNCATED or LTX_INVALID if the body does not have its `sizeBytes`. */
export async function uploadObject(bucket: Bucket, upload: Upload): Promise<ObjectInfo> {
  const { key, body } = upload;
  const { sizeBytes } = body;
  const isSmall = sizeBytes <= bucket.config.partSizeBytes;
  try {
    const written = await (isSmall
      ? sendWhole(bucket, upload, (bytes) => put(bucket, upload, bytes))
      : uploadParts(bucket, upload));
    return { key, sizeBytes, modifiedAt: dateOf(written), version: written.ETag };
  } catch (error) {
    const hasVersion = typeof upload.condition === 'object';
    throw hasVersion && isError(error, 'REPLICA_NOT_FOUND') ? goneError(upload.what, error) : error;
  }
}

interface Written {
  readonly ETag?: string | undefined;
}

async function put(bucket: Bucket, upload: Upload, bytes: Uint8Array): Promise<Written> {
  const command = new bucket.sdk.PutObjectCommand({
    Bucket: bucket.config.bucket,
    Key: upload.key,
    Body: bytes,
    ContentLength: bytes.byteLength,
    ...fileFields(bucket, upload),
    ...conditionOf(upload),
    ...contentMD5(bucket, bytes),
    ...storage(bucket),
  });
  return await send(bucket, command, 'settle', upload);
}

async function uploadParts(bucket: Bucket, upload: Upload): Promise<Written> {
  const multipart = await create(bucket, upload);
  const limits = {
    partSizeBytes: bucket.config.partSizeBytes,
    partsMax: bucket.preset.partsMax,
  };
  try {
    const parts = await sendInParts(bucket, limits, upload, (bytes, index, signal) =>
      sendPart(bucket, { ...multipart, PartNumber: index + 1 }, bytes, {
        what: upload.what,
        signal,
      }),
    );
    return await complete(bucket, upload, multipart, parts);
  } catch (error) {
    removeLater(bucket, upload.key, remove(bucket, multipart, upload.what));
    throw error;
  }
}

/**
 * Starts a multipart upload. An abort does not cut this request: without its response, the ID of the
 * new upload would be lost. If the response comes after the abort, the upload is removed.
 */
async function create(bucket: Bucket, upload: Upload): Promise<Multipart> {
  const { client, sdk, config, requests, removals } = bucket;
  await removals.settled(upload.key, upload.signal, requests.closing);
  const object = { Bucket: config.bucket, Key: upload.key };
  const command = new sdk.CreateMultipartUploadCommand({
    ...object,
    ...fileFields(bucket, upload),
    ...storage(bucket),
  });
  let creating: Promise<Multipart> | undefined;
  const start = async (): Promise<Multipart> => {
    const { UploadId } = await client.send(command, { abortSignal: requests.ended });
    if (UploadId !== undefined && UploadId !== '') return { ...object, UploadId };
    throw new ForeignAnswerError({ status: 200, lacks: 'no UploadId' });
  };
  try {
    return await requests.request(optionsOf(upload, 'settle'), () => (creating = start()));
  } catch (error) {
    const removeLate = creating?.then(
      (multipart) => remove(bucket, multipart, upload.what),
      () => undefined, // nothing was started, and the call has reported the error
    );
    if (removeLate !== undefined) removeLater(bucket, upload.key, removeLate);
    throw error;
  }
}

async function sendPart(
  bucket: Bucket,
  multipart: Multipart & { readonly PartNumber: number },
  bytes: Uint8Array,
  call: Call,
): Promise<SentPart> {
  const command = new bucket.sdk.UploadPartCommand({
    ...multipart,
    Body: bytes,
    ContentLength: bytes.byteLength,
    ...contentMD5(bucket, bytes),
    ...customerKey(bucket),
  });
  const { ETag = '' } = await send(bucket, command, 'cut', call);
  return { PartNumber: multipart.PartNumber, ETag };
}

async function complete(
  bucket: Bucket,
  upload: Upload,
  multipart: Multipart,
  parts: readonly SentPart[],
): Promise<Written> {
  const command = new bucket.sdk.CompleteMultipartUploadCommand({
    ...multipart,
    MultipartUpload: { Parts: [...parts] },
    ...conditionOf(upload),
    ...customerKey(bucket),
  });
  return await sendLast(bucket, upload, async (failures) => {
    try {
      const completion = await send(bucket, command, 'settle', upload);
      if (completion.ETag) return completion;
      // Ceph RGW 16 leaves the ETag out here, but returns it for the object.
      const done = await findCompleted(bucket, upload, parts);
      if (done !== undefined) return done;
      throw toReplicationError(
        new ForeignAnswerError({ status: 200, lacks: 'no ETag' }),
        upload.what,
      );
    } catch (error) {
      const done =
        failures > 0 && isUploadGone(error)
          ? await findCompleted(bucket, upload, parts)
          : undefined;
      if (done !== undefined) return done;
      throw error;
    }
  });
}

/** The object, if it consists of these parts. Undefined if it cannot be looked up. */
async function findCompleted(
  bucket: Bucket,
  upload: Upload,
  parts: readonly SentPart[],
): Promise<Written | undefined> {
  const head = new bucket.sdk.HeadObjectCommand({
    Bucket: bucket.config.bucket,
    Key: upload.key,
    ...customerKey(bucket),
  });
  const found = await send(bucket, head, 'cut', upload).catch(() => undefined);
  bucket.requests.check(upload.signal);
  return found?.ETag === etagOf(parts) ? found : undefined;
}

/** S3's ETag: the MD5 of the MD5s of the parts, unless they are encrypted with a KMS key. */
function etagOf(parts: readonly SentPart[]): string {
  const all = createHash('md5');
  for (const { ETag } of parts) all.update(Buffer.from(ETag.replaceAll('"', ''), 'hex'));
  return `"${all.digest('hex')}-${parts.length}"`;
}

function isUploadGone(error: unknown): boolean {
  return isError(error) && error.cause instanceof Error && error.cause.name === 'NoSuchUpload';
}

function removeLater({ requests, removals }: Bucket, key: string, removal: Promise<void>): void {
  removals.add(key, removal);
  void requests.keep(removal);
}

/** Removes an upload and its parts. Logs a warning if that fails. */
async function remove(bucket: Bucket, multipart: Multipart, what: string): Promise<void> {
  const { client, sdk, logger, requests } = bucket;
  const command = new sdk.AbortMultipartUploadCommand(multipart);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await requests.cleanUp((abortSignal) => client.send(command, { abortSignal }));
      return;
    } catch (error) {
      // It was completed after all, or removed by someone else.
      if (error instanceof Error && error.name === 'NoSuchUpload') return;
      if (attempt < REMOVAL_ATTEMPTS_MAX && !requests.ended.aborted) {
        await new Promise((resolve) => setTimeout(resolve, REMOVAL_DELAY_MS * attempt));
        continue;
      }
      logger.warn(
        `${what}: the parts of the upload could not be removed, and cost money until a lifecycle rule removes them: ${messageOf(error)}`,
        { code: toReplicationError(error, what).code },
      );
      return;
    }
  }
}

/** Fields of an LTX file; named objects have none of them. */
function fileFields(bucket: Bucket, { body: { createdAt } }: Upload): FileFields {
  if (createdAt === undefined) return {};
  return { Metadata: { [TIMESTAMP]: formatTimestamp(createdAt) }, ...lock(bucket) };
}

interface FileFields extends ReturnType<typeof lock> {
  readonly Metadata?: Record<string, string>;
}

function conditionOf({ condition }: Upload): { IfNoneMatch?: '*'; IfMatch?: string } {
  if (condition === undefined) return {};
  return condition === 'if-absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.version };
}
