/**
 * Writes one object, whole or not at all: in one request where it fits into a part, else in parts:
 * create, send the parts, complete. Whatever ends that early, the parts that are there are removed,
 * in the background: the call does not wait for that, the client's close does.
 *
 * A part that fails is sent again by itself, and so is the request that completes. Where the answer
 * to that one was lost, the upload may be gone because it was completed: then the object's ETag,
 * which S3 makes of those of the parts, says whether it is ours.
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

/** Where Litestream keeps the time of a file: x-amz-meta-litestream-timestamp. */
const TIMESTAMP = 'litestream-timestamp';
/** Attempts to remove the parts of an upload. After that a lifecycle rule must. */
const ABANDON_ATTEMPTS_MAX = 3;
const ABANDON_DELAY_MS = 250;

interface Place {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string;
}

interface SentPart {
  readonly PartNumber: number;
  readonly ETag: string;
}

/** LTX_TRUNCATED or LTX_INVALID where the body has another size than it said. */
export async function upload(bucket: Bucket, of: Upload): Promise<ObjectInfo> {
  const { key } = of;
  const { sizeBytes } = of.body;
  const isSmall = sizeBytes <= bucket.config.partSizeBytes;
  try {
    const answer = await (isSmall
      ? sendWhole(bucket, of, (bytes) => put(bucket, of, bytes))
      : uploadParts(bucket, of));
    return { key, sizeBytes, modifiedAt: dateOf(answer), version: answer.ETag };
  } catch (error) {
    const isOfVersion = typeof of.condition === 'object' && isError(error, 'REPLICA_NOT_FOUND');
    throw isOfVersion ? goneError(of.what, error) : error;
  }
}

interface Answer {
  readonly ETag?: string | undefined;
}

async function put(bucket: Bucket, of: Upload, bytes: Uint8Array): Promise<Answer> {
  const command = new bucket.sdk.PutObjectCommand({
    Bucket: bucket.config.bucket,
    Key: of.key,
    Body: bytes,
    ContentLength: bytes.byteLength,
    ...ofFile(bucket, of),
    ...conditionOf(of),
    ...contentMD5(bucket, bytes),
    ...storage(bucket),
  });
  return await send(bucket, command, 'settle', of);
}

async function uploadParts(bucket: Bucket, of: Upload): Promise<Answer> {
  const place = await create(bucket, of);
  const limits = {
    partSizeBytes: bucket.config.partSizeBytes,
    partsMax: bucket.preset.partsMax,
  };
  try {
    const parts = await sendInParts(bucket, limits, of, (bytes, index, signal) =>
      sendPart(bucket, { ...place, PartNumber: index + 1 }, bytes, { what: of.what, signal }),
    );
    return await complete(bucket, of, place, parts);
  } catch (error) {
    removeLater(bucket, of.key, abandon(bucket, place, of.what));
    throw error;
  }
}

/**
 * Begins an upload. An abort does not cut this request: an answer that nobody hears would leave an
 * upload that nobody knows. When it comes late, what it began is removed.
 */
async function create(bucket: Bucket, of: Upload): Promise<Place> {
  const { client, sdk, config, requests, removals } = bucket;
  await removals.settled(of.key, of.signal, requests.closing);
  const named = { Bucket: config.bucket, Key: of.key };
  const command = new sdk.CreateMultipartUploadCommand({
    ...named,
    ...ofFile(bucket, of),
    ...storage(bucket),
  });
  let creating: Promise<Place> | undefined;
  const begin = async (): Promise<Place> => {
    const { UploadId } = await client.send(command, { abortSignal: requests.ended });
    if (UploadId !== undefined && UploadId !== '') return { ...named, UploadId };
    throw new ForeignAnswerError({ status: 200, lacks: 'no UploadId' });
  };
  try {
    return await requests.request(optionsOf(of, 'settle'), () => (creating = begin()));
  } catch (error) {
    const removeLate = creating?.then(
      (place) => abandon(bucket, place, of.what),
      () => undefined, // nothing was begun, and the call has told why
    );
    if (removeLate !== undefined) removeLater(bucket, of.key, removeLate);
    throw error;
  }
}

async function sendPart(
  bucket: Bucket,
  place: Place & { readonly PartNumber: number },
  bytes: Uint8Array,
  call: Call,
): Promise<SentPart> {
  const command = new bucket.sdk.UploadPartCommand({
    ...place,
    Body: bytes,
    ContentLength: bytes.byteLength,
    ...contentMD5(bucket, bytes),
    ...customerKey(bucket),
  });
  const { ETag = '' } = await send(bucket, command, 'cut', call);
  return { PartNumber: place.PartNumber, ETag };
}

async function complete(
  bucket: Bucket,
  of: Upload,
  place: Place,
  parts: readonly SentPart[],
): Promise<Answer> {
  const command = new bucket.sdk.CompleteMultipartUploadCommand({
    ...place,
    MultipartUpload: { Parts: [...parts] },
    ...conditionOf(of),
    ...customerKey(bucket),
  });
  return await sendLast(bucket, of, async (failures) => {
    try {
      const answer = await send(bucket, command, 'settle', of);
      if (answer.ETag) return answer;
      // Some servers do not say it here (Ceph RGW 16), but of the object.
      const done = await completed(bucket, of, parts);
      if (done !== undefined) return done;
      throw toReplicationError(new ForeignAnswerError({ status: 200, lacks: 'no ETag' }), of.what);
    } catch (error) {
      const done =
        failures > 0 && isUploadGone(error) ? await completed(bucket, of, parts) : undefined;
      if (done !== undefined) return done;
      throw error;
    }
  });
}

/** The object, if it is made of these parts. A failure to look says nothing: the upload is gone. */
async function completed(
  bucket: Bucket,
  of: Upload,
  parts: readonly SentPart[],
): Promise<Answer | undefined> {
  const place = { Bucket: bucket.config.bucket, Key: of.key };
  const head = new bucket.sdk.HeadObjectCommand({ ...place, ...customerKey(bucket) });
  const found = await send(bucket, head, 'cut', of).catch(() => undefined);
  bucket.requests.check(of.signal);
  return found?.ETag === etagOf(parts) ? found : undefined;
}

/** S3's own: the MD5 of the MD5s of the parts, where they are not encrypted by a key of KMS. */
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

/** Removes an upload and its parts. Logs a warning where it cannot. */
async function abandon(bucket: Bucket, place: Place, what: string): Promise<void> {
  const { client, sdk, logger, requests } = bucket;
  const command = new sdk.AbortMultipartUploadCommand(place);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await requests.cleanUp((abortSignal) => client.send(command, { abortSignal }));
      return;
    } catch (error) {
      // It was completed after all, or somebody else removed it.
      if (error instanceof Error && error.name === 'NoSuchUpload') return;
      if (attempt < ABANDON_ATTEMPTS_MAX && !requests.ended.aborted) {
        await new Promise((resolve) => setTimeout(resolve, ABANDON_DELAY_MS * attempt));
        continue;
      }
      logger.warn(
        `${what}: its parts could not be removed and cost money until a lifecycle rule does: ${messageOf(error)}`,
        { code: toReplicationError(error, what).code },
      );
      return;
    }
  }
}

/** Fields that are stored with an LTX file, and not with a named object. */
function ofFile(bucket: Bucket, { body: { createdAt } }: Upload): FileFields {
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
