/**
 * Writes one object, whole or not at all: in one request where it fits into a part, else in parts.
 * Bytes are read into memory first, so that no body stream can fail inside the SDK (its `send`
 * would stay pending), and every request knows its length and its checksum.
 *
 * Memory: one part for a small object; else parts at once times the part size.
 */

import { ReplicationError, type LTXBody } from '@sluice/core/backend';
import type { Bucket } from './destination.ts';
import { contentMD5, customerKey, request, storage } from './requests.ts';
import { PartReader } from './parts.ts';

/** S3 takes no more. */
const PARTS_MAX = 10_000;

export interface Upload {
  readonly key: string;
  readonly body: Pick<LTXBody, 'sizeBytes' | 'open'>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly condition: 'none' | 'if-absent';
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

/** Resolves with the version of what was written. REPLICA_TRUNCATED where the body has another size. */
export async function upload(bucket: Bucket, of: Upload): Promise<string> {
  const { partSizeBytes } = bucket.config;
  if (of.body.sizeBytes > partSizeBytes) return await uploadParts(bucket, of);
  const reader = new PartReader(of.body, partSizeBytes, of.what);
  try {
    const bytes = (await reader.next()) ?? new Uint8Array(0);
    if ((await reader.next()) !== undefined) throw wrongSize(of);
    return await put(bucket, of, bytes);
  } finally {
    await reader.close();
  }
}

async function put(bucket: Bucket, of: Upload, bytes: Uint8Array): Promise<string> {
  const { client, sdk, config } = bucket;
  const command = new sdk.PutObjectCommand({
    Bucket: config.bucket,
    Key: of.key,
    Body: bytes,
    ContentLength: bytes.length,
    Metadata: { ...of.metadata },
    ...(of.condition === 'if-absent' && { IfNoneMatch: '*' }),
    ...contentMD5(bucket, bytes),
    ...storage(bucket),
  });
  const answer = await request(bucket, of.what, of.signal, (abortSignal) =>
    client.send(command, { abortSignal }),
  );
  return answer.ETag ?? '';
}

async function uploadParts(bucket: Bucket, of: Upload): Promise<string> {
  const { client, sdk, config } = bucket;
  const place = { Bucket: config.bucket, Key: of.key };
  const create = new sdk.CreateMultipartUploadCommand({
    ...place,
    Metadata: { ...of.metadata },
    ...storage(bucket),
  });
  // Not aborted: an answer that is not waited for would leave an upload that nobody knows.
  const { UploadId } = await request(bucket, of.what, undefined, () => client.send(create));
  const id = { ...place, UploadId };
  try {
    const parts = await sendParts(bucket, of, id);
    const complete = new sdk.CompleteMultipartUploadCommand({
      ...id,
      MultipartUpload: { Parts: parts },
      ...(of.condition === 'if-absent' && { IfNoneMatch: '*' }),
      ...customerKey(bucket),
    });
    const answer = await request(bucket, of.what, of.signal, (abortSignal) =>
      client.send(complete, { abortSignal }),
    );
    return answer.ETag ?? '';
  } catch (error) {
    await abandon(bucket, id, error);
    throw error;
  }
}

interface UploadPlace {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string | undefined;
}

interface SentPart {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
}

async function sendParts(bucket: Bucket, of: Upload, id: UploadPlace): Promise<SentPart[]> {
  const { config, preset } = bucket;
  const size = Math.max(config.partSizeBytes, Math.ceil(of.body.sizeBytes / PARTS_MAX));
  const reader = new PartReader(of.body, size, of.what);
  const failed = new AbortController();
  const signal =
    of.signal === undefined ? failed.signal : AbortSignal.any([failed.signal, of.signal]);
  const parts: SentPart[] = [];
  let number = 0;
  const sendNext = async (): Promise<void> => {
    for (;;) {
      signal.throwIfAborted();
      const bytes = await reader.next();
      if (bytes === undefined) return;
      number += 1;
      const own = number;
      const { ETag } = await sendPart(bucket, of, { ...id, PartNumber: own }, bytes, signal);
      parts.push({ PartNumber: own, ETag });
    }
  };
  const lanes = Array.from({ length: config.partsAtOnce ?? preset.partsAtOnce }, () =>
    sendNext().catch((error: unknown) => {
      failed.abort(error); // the others stop too; the first failure is the one that is told
      throw error;
    }),
  );
  try {
    await Promise.all(lanes);
  } catch (error) {
    await Promise.allSettled(lanes);
    throw of.signal?.aborted === true ? (of.signal.reason as Error) : error;
  } finally {
    await reader.close();
  }
  return parts.sort((a, b) => a.PartNumber - b.PartNumber);
}

async function sendPart(
  bucket: Bucket,
  of: Upload,
  place: UploadPlace & { readonly PartNumber: number },
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<{ ETag?: string | undefined }> {
  const { client, sdk } = bucket;
  const command = new sdk.UploadPartCommand({
    ...place,
    Body: bytes,
    ContentLength: bytes.length,
    ...contentMD5(bucket, bytes),
    ...customerKey(bucket),
  });
  return await request(bucket, of.what, signal, (abortSignal) =>
    client.send(command, { abortSignal }),
  );
}

/** Leaves no parts behind. Whether the upload is still there after a lost answer, nobody knows. */
async function abandon(bucket: Bucket, id: UploadPlace, cause: unknown): Promise<void> {
  const { client, sdk } = bucket;
  try {
    await client.send(new sdk.AbortMultipartUploadCommand(id));
  } catch (error) {
    const { name } = error as { name?: string };
    if (name === 'NoSuchUpload') return; // it was completed, or is gone
    if (cause instanceof Error && cause.cause === undefined) cause.cause = error;
  }
}

function wrongSize(of: Upload): ReplicationError {
  return new ReplicationError(
    'REPLICA_TRUNCATED',
    `${of.what}: its source does not give the ${of.body.sizeBytes} bytes that it said`,
  );
}
