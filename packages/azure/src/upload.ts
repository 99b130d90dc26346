/**
 * Writes one blob, whole or not at all: in one Put Blob where it fits into a block, else as blocks
 * that are staged and then committed under the name. Bytes are read into memory before they are
 * sent, so every request has its length and the MD5 of its bytes, which Azure compares.
 *
 * Blocks of an upload that ended early lie there unseen; Azure removes them after a week, or when
 * the name is written again.
 */

import { createHash, randomBytes } from 'node:crypto';
import { openParts, partSizeFor, sendParts, type LTXBody } from '@sluice/core/backend';
import type { AccessTier } from './config.ts';
import { versionOf } from './blobs.ts';
import { request, type Place, type Request } from './place.ts';

/** Azure commits no more. */
const BLOCKS_MAX = 50_000;
/**
 * All block ids of a blob must be of one length, those that another writer has left unseen too:
 * Litestream's have 64 bytes.
 */
const BLOCK_ID_BYTES = 64;

export interface Upload extends Request {
  readonly key: string;
  readonly body: Pick<LTXBody, 'sizeBytes' | 'open'>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly conditions: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string };
  readonly tier: AccessTier | undefined;
}

export interface Uploaded {
  readonly version: string;
  /** By the server's clock. */
  readonly modifiedAt: Date;
}

interface Answer {
  readonly etag?: string | undefined;
  readonly lastModified?: Date | undefined;
}

/** LTX_TRUNCATED or LTX_INVALID where the body has another size than it said. */
export async function upload(place: Place, of: Upload): Promise<Uploaded> {
  place.work.check(of.signal);
  const isSmall = of.body.sizeBytes <= place.config.blockSizeBytes;
  const { etag, lastModified } = isSmall ? await put(place, of) : await stage(place, of);
  return { version: versionOf(etag), modifiedAt: lastModified ?? new Date() };
}

async function put(place: Place, of: Upload): Promise<Answer> {
  const { sizeBytes } = of.body;
  const giveBack = await place.budget.take(sizeBytes, [of.signal, place.work.closing]);
  try {
    const bytes = await readWhole(place, of);
    return await request(place, of, 'settle', (container, abortSignal) =>
      container.getBlockBlobClient(of.key).upload(bytes, bytes.byteLength, {
        ...optionsOf(of),
        transactionalContentMD5: md5(bytes),
        abortSignal,
      }),
    );
  } finally {
    giveBack();
  }
}

async function readWhole({ work }: Place, of: Upload): Promise<Uint8Array> {
  const reader = openParts(of.body, of.what, of.signal, work.closing);
  try {
    return await reader.next(of.body.sizeBytes);
  } finally {
    await reader.close();
  }
}

async function stage(place: Place, of: Upload): Promise<Answer> {
  const { budget, config, work } = place;
  const { sizeBytes } = of.body;
  const idOf = blockIDs();
  const parts = {
    reader: openParts(of.body, of.what, of.signal, work.closing),
    sizeBytes,
    partBytes: partSizeFor(sizeBytes, config.blockSizeBytes, BLOCKS_MAX),
    budget,
    signals: [of.signal, work.closing],
  };
  const ids = await sendParts(parts, async (bytes, index, signal) => {
    const id = idOf(index);
    await request(place, { what: of.what, signal }, 'cut', (container, abortSignal) =>
      container.getBlockBlobClient(of.key).stageBlock(id, bytes, bytes.byteLength, {
        transactionalContentMD5: md5(bytes),
        abortSignal,
      }),
    );
    return id;
  });
  return await request(place, of, 'settle', (container, abortSignal) =>
    container.getBlockBlobClient(of.key).commitBlockList(ids, { ...optionsOf(of), abortSignal }),
  );
}

interface UploadOptions {
  readonly conditions: Upload['conditions'];
  readonly metadata: Record<string, string>;
  readonly blobHTTPHeaders: { readonly blobContentType: string };
  readonly tier?: AccessTier;
}

/** As Litestream has them, but for the tier. */
function optionsOf({ conditions, metadata, tier }: Upload): UploadOptions {
  return {
    conditions,
    metadata: { ...metadata },
    blobHTTPHeaders: { blobContentType: 'application/octet-stream' },
    ...(tier !== undefined && { tier }),
  };
}

/** Of this upload only: two writers of one name do not mix their blocks. */
function blockIDs(): (index: number) => string {
  const id = randomBytes(BLOCK_ID_BYTES);
  return (index) => {
    id.writeUInt32BE(index, BLOCK_ID_BYTES - 4);
    return id.toString('base64');
  };
}

function md5(bytes: Uint8Array): Uint8Array {
  return createHash('md5').update(bytes).digest();
}
