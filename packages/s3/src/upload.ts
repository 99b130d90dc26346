/**
 * Writes one object, whole or not at all: in one request where it fits into a part, else in parts:
 * create, send the parts, complete. Whatever ends that early, the parts that are there are removed,
 * in the background: the call does not wait for it, the destination's close does.
 *
 * A part that fails is sent again by itself, and so is the request that completes. Where the answer
 * to that one was lost, the upload may be gone because it was completed: then the object's ETag,
 * which S3 makes of those of the parts, says whether it is ours.
 */

import { createHash } from 'node:crypto';

import {
  formatTimestamp,
  isError,
  NotTheProvider,
  messageOf,
  sendInParts,
  sendLast,
  sendWhole,
  type StoreCall,
  type KeyedUpload,
  type KeyedUploaded,
} from '@sluice/core/backend';
import { contentMD5, customerKey, lock, optionsOf, send, storage, type Bucket } from './bucket.ts';
import { toReplicationError } from './errors.ts';
import { dateOf } from './wire.ts';

/** Where Litestream keeps the time of a file: x-amz-meta-litestream-timestamp. */
const TIMESTAMP = 'litestream-timestamp';
/** Tries to remove what an upload leaves behind. What then is still there is for a lifecycle rule. */
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
export async function upload(bucket: Bucket, of: KeyedUpload): Promise<KeyedUploaded> {
  const isSmall = of.body.sizeBytes <= bucket.config.partSizeBytes;
  const answer = await (isSmall
    ? sendWhole(bucket, of, (bytes) => put(bucket, of, bytes))
    : uploadParts(bucket, of));
  return { version: answer.ETag ?? '', modifiedAt: dateOf(answer) };
}

interface Answer {
  readonly ETag?: string | undefined;
}

async function put(bucket: Bucket, of: KeyedUpload, bytes: Uint8Array): Promise<Answer> {
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

async function uploadParts(bucket: Bucket, of: KeyedUpload): Promise<Answer> {
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
async function create(bucket: Bucket, of: KeyedUpload): Promise<Place> {
  const { client, sdk, config, work, removals } = bucket;
  await removals.settled(of.key, of.signal, work.closing);
  const named = { Bucket: config.bucket, Key: of.key };
  const command = new sdk.CreateMultipartUploadCommand({
    ...named,
    ...ofFile(bucket, of),
    ...storage(bucket),
  });
  let creating: Promise<Place> | undefined;
  const begin = async (): Promise<Place> => {
    const { UploadId } = await client.send(command, { abortSignal: work.ended });
    if (UploadId !== undefined && UploadId !== '') return { ...named, UploadId };
    throw new NotTheProvider({ status: 200, lacks: 'no UploadId' });
  };
  try {
    return await work.request(optionsOf(of, 'settle'), () => (creating = begin()));
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
  call: StoreCall,
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
  of: KeyedUpload,
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
      throw toReplicationError(new NotTheProvider({ status: 200, lacks: 'no ETag' }), of.what);
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
  of: KeyedUpload,
  parts: readonly SentPart[],
): Promise<Answer | undefined> {
  const place = { Bucket: bucket.config.bucket, Key: of.key };
  const head = new bucket.sdk.HeadObjectCommand({ ...place, ...customerKey(bucket) });
  const found = await send(bucket, head, 'cut', of).catch(() => undefined);
  bucket.work.check(of.signal);
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

function removeLater({ work, removals }: Bucket, key: string, removal: Promise<void>): void {
  removals.add(key, removal);
  void work.keep(removal);
}

/** Removes an upload and its parts. Says so where it cannot. */
async function abandon(bucket: Bucket, place: Place, what: string): Promise<void> {
  const { client, sdk, logger, work } = bucket;
  const command = new sdk.AbortMultipartUploadCommand(place);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work.cleanUp((abortSignal) => client.send(command, { abortSignal }));
      return;
    } catch (error) {
      // It was completed after all, or somebody else removed it.
      if (error instanceof Error && error.name === 'NoSuchUpload') return;
      if (attempt < ABANDON_ATTEMPTS_MAX && !work.ended.aborted) {
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

/** What is kept with an LTX file, and not with a named object. */
function ofFile(bucket: Bucket, { createdAt }: KeyedUpload): FileFields {
  if (createdAt === undefined) return {};
  return { Metadata: { [TIMESTAMP]: formatTimestamp(createdAt) }, ...lock(bucket) };
}

interface FileFields extends ReturnType<typeof lock> {
  readonly Metadata?: Record<string, string>;
}

function conditionOf({ condition }: KeyedUpload): { IfNoneMatch?: '*'; IfMatch?: string } {
  if (condition === undefined) return {};
  return condition === 'if-absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.version };
}
