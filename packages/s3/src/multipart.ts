/**
 * An object in parts: create, send the parts, complete. Whatever ends it early, the parts that are
 * there are removed, in the background: the call does not wait for it, the destination's close does.
 */

import { messageOf, partSizeFor, sendParts } from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { contentMD5, customerKey, storage } from './headers.ts';
import { request } from './requests.ts';
import { openSource, type Upload, type Uploaded } from './source.ts';
import { dateOf } from './wire.ts';

/** Tries to remove what an upload leaves behind. What then is still there is for a lifecycle rule. */
const ABANDON_ATTEMPTS_MAX = 3;
const ABANDON_DELAY_MS = 250;

interface Place {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string | undefined;
}

interface SentPart {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
}

export async function uploadParts(bucket: Bucket, of: Upload): Promise<Uploaded> {
  const { client, sdk } = bucket;
  const place = await create(bucket, of);
  try {
    const parts = await sendAll(bucket, of, place);
    const command = new sdk.CompleteMultipartUploadCommand({
      ...place,
      MultipartUpload: { Parts: parts },
      ...of.condition,
      ...customerKey(bucket),
    });
    const options = { signals: [of.signal], whenAborted: 'settle' } as const;
    const answer = await request(bucket, of.what, options, (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    return { version: answer.ETag ?? '', modifiedAt: dateOf(answer) };
  } catch (error) {
    void bucket.work.keep(abandon(bucket, place, of.what));
    throw error;
  }
}

/**
 * Begins an upload. An abort does not cut this request: an answer that nobody hears would leave an
 * upload that nobody knows. When it comes late, what it began is removed.
 */
async function create(bucket: Bucket, of: Upload): Promise<Place> {
  const { client, sdk, config, work } = bucket;
  const named = { Bucket: config.bucket, Key: of.key };
  const command = new sdk.CreateMultipartUploadCommand({
    ...named,
    Metadata: { ...of.metadata },
    ...storage(bucket),
  });
  const creating = client
    .send(command, { abortSignal: work.ended })
    .then(({ UploadId }) => ({ ...named, UploadId }));
  const options = { signals: [of.signal], whenAborted: 'settle' } as const;
  try {
    return await request(bucket, of.what, options, () => creating);
  } catch (error) {
    const removeLate = creating.then(
      (place) => abandon(bucket, place, of.what),
      () => undefined, // nothing was begun, and the call has told why
    );
    void work.keep(removeLate);
    throw error;
  }
}

async function sendAll(bucket: Bucket, of: Upload, place: Place): Promise<SentPart[]> {
  const { budget, config, preset, work } = bucket;
  const { sizeBytes } = of.body;
  const parts = {
    reader: openSource(bucket, of),
    sizeBytes,
    partBytes: partSizeFor(sizeBytes, config.partSizeBytes, preset.partsMax),
    budget,
    signals: [of.signal, work.closing],
  };
  return await sendParts(parts, (bytes, index, over) =>
    sendPart(bucket, of, { ...place, PartNumber: index + 1 }, bytes, over),
  );
}

async function sendPart(
  bucket: Bucket,
  of: Upload,
  place: Place & { readonly PartNumber: number },
  bytes: Uint8Array,
  over: AbortSignal,
): Promise<SentPart> {
  const { client, sdk } = bucket;
  const command = new sdk.UploadPartCommand({
    ...place,
    Body: bytes,
    ContentLength: bytes.byteLength,
    ...contentMD5(bucket, bytes),
    ...customerKey(bucket),
  });
  const options = { signals: [over], whenAborted: 'cut' } as const;
  const { ETag } = await request(bucket, of.what, options, (abortSignal) =>
    client.send(command, { abortSignal }),
  );
  return { PartNumber: place.PartNumber, ETag };
}

/** Removes an upload and its parts. Says so where it cannot. */
async function abandon(bucket: Bucket, place: Place, what: string): Promise<void> {
  const { client, sdk, logger, work } = bucket;
  const command = new sdk.AbortMultipartUploadCommand(place);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.send(command, { abortSignal: work.ended });
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
      );
      return;
    }
  }
}
