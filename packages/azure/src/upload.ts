/**
 * Writes one blob, completely or not at all: one Put Blob if it fits into a block, otherwise blocks
 * that are staged and then committed. Bytes are read into memory before they are sent, so every
 * request has its length and an MD5, which Azure verifies.
 *
 * Blocks of an unfinished upload are invisible. Azure removes them after a week, or when the name is
 * written again.
 */

import { createHash, randomBytes } from 'node:crypto';
import type { ObjectInfo } from '@sluice/core/backend';
import {
  formatTimestamp,
  sendInParts,
  sendLast,
  sendWhole,
  type Upload,
} from '@sluice/core/backend/http';
import type { AccessTier } from './config.ts';
import { request, TIMESTAMP, versionOf, type Container } from './container.ts';

/** Azure's limit. */
const BLOCKS_MAX = 50_000;
/** All block IDs of a blob must have the same length, also those of another writer. Litestream's have 64 bytes. */
const BLOCK_ID_BYTES = 64;

interface Written {
  readonly etag?: string | undefined;
  readonly lastModified?: Date | undefined;
}

/** LTX_TRUNCATED or LTX_INVALID if the body does not have its `sizeBytes`. */
export async function uploadBlob(container: Container, upload: Upload): Promise<ObjectInfo> {
  const { sizeBytes, createdAt } = upload.body;
  const isSmall = sizeBytes <= container.config.blockSizeBytes;
  const { etag, lastModified } = await (isSmall
    ? sendWhole(container, upload, (bytes) => put(container, upload, bytes))
    : stage(container, upload));
  const modifiedAt = lastModified ?? new Date();
  return { key: upload.key, sizeBytes, modifiedAt, version: versionOf(etag), createdAt };
}

async function put(container: Container, upload: Upload, bytes: Uint8Array): Promise<Written> {
  return await request(container, upload, 'settle', (client, abortSignal) =>
    client.getBlockBlobClient(upload.key).upload(bytes, bytes.byteLength, {
      ...optionsOf(container, upload),
      transactionalContentMD5: md5(bytes),
      abortSignal,
    }),
  );
}

async function stage(container: Container, upload: Upload): Promise<Written> {
  const limits = { partSizeBytes: container.config.blockSizeBytes, partsMax: BLOCKS_MAX };
  const idOf = blockIDs();
  const ids = await sendInParts(container, limits, upload, async (bytes, index, signal) => {
    const id = idOf(index);
    await request(container, { what: upload.what, signal }, 'cut', (client, abortSignal) =>
      client.getBlockBlobClient(upload.key).stageBlock(id, bytes, bytes.byteLength, {
        transactionalContentMD5: md5(bytes),
        abortSignal,
      }),
    );
    return id;
  });
  const options = optionsOf(container, upload);
  return await sendLast(container, upload, () =>
    request(container, upload, 'settle', (client, abortSignal) =>
      client.getBlockBlobClient(upload.key).commitBlockList(ids, { ...options, abortSignal }),
    ),
  );
}

interface UploadOptions {
  readonly conditions: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string };
  readonly metadata: Record<string, string>;
  readonly blobHTTPHeaders: { readonly blobContentType: string };
  readonly tier?: AccessTier;
}

/** Litestream's options; and the tier for LTX files, but not for other objects, which are small and read often. */
function optionsOf(
  { config }: Container,
  { body: { createdAt }, condition }: Upload,
): UploadOptions {
  const shared = {
    conditions: conditionsOf(condition),
    blobHTTPHeaders: { blobContentType: 'application/octet-stream' },
  };
  if (createdAt === undefined) return { ...shared, metadata: {} };
  const tier = config.accessTier;
  const metadata = { [TIMESTAMP]: formatTimestamp(createdAt) };
  return { ...shared, metadata, ...(tier !== undefined && { tier }) };
}

function conditionsOf(condition: Upload['condition']): UploadOptions['conditions'] {
  if (condition === undefined) return {};
  return condition === 'if-absent' ? { ifNoneMatch: '*' } : { ifMatch: condition.version };
}

/** IDs of this upload only, so that concurrent writers of one name cannot mix their blocks. */
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
