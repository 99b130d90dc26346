/**
 * Writes one blob, whole or not at all: in one Put Blob where it fits into a block, else as blocks
 * that are staged and then committed under the name. Bytes are read into memory before they are
 * sent, so every request has its length and the MD5 of its bytes, which Azure compares.
 *
 * Blocks of an upload that ended early lie there unseen; Azure removes them after a week, or when
 * the name is written again.
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

/** Azure commits no more. */
const BLOCKS_MAX = 50_000;
/**
 * All block ids of a blob must be of one length, those that another writer has left unseen too:
 * Litestream's have 64 bytes.
 */
const BLOCK_ID_BYTES = 64;

interface Answer {
  readonly etag?: string | undefined;
  readonly lastModified?: Date | undefined;
}

/** LTX_TRUNCATED or LTX_INVALID where the body has another size than it said. */
export async function upload(container: Container, of: Upload): Promise<ObjectInfo> {
  const { sizeBytes, createdAt } = of.body;
  const isSmall = sizeBytes <= container.config.blockSizeBytes;
  const { etag, lastModified } = await (isSmall
    ? sendWhole(container, of, (bytes) => put(container, of, bytes))
    : stage(container, of));
  const modifiedAt = lastModified ?? new Date();
  return { key: of.key, sizeBytes, modifiedAt, version: versionOf(etag), createdAt };
}

async function put(container: Container, of: Upload, bytes: Uint8Array): Promise<Answer> {
  return await request(container, of, 'settle', (client, abortSignal) =>
    client.getBlockBlobClient(of.key).upload(bytes, bytes.byteLength, {
      ...optionsOf(container, of),
      transactionalContentMD5: md5(bytes),
      abortSignal,
    }),
  );
}

async function stage(container: Container, of: Upload): Promise<Answer> {
  const limits = { partSizeBytes: container.config.blockSizeBytes, partsMax: BLOCKS_MAX };
  const idOf = blockIDs();
  const ids = await sendInParts(container, limits, of, async (bytes, index, signal) => {
    const id = idOf(index);
    await request(container, { what: of.what, signal }, 'cut', (client, abortSignal) =>
      client.getBlockBlobClient(of.key).stageBlock(id, bytes, bytes.byteLength, {
        transactionalContentMD5: md5(bytes),
        abortSignal,
      }),
    );
    return id;
  });
  const options = optionsOf(container, of);
  return await sendLast(container, of, () =>
    request(container, of, 'settle', (client, abortSignal) =>
      client.getBlockBlobClient(of.key).commitBlockList(ids, { ...options, abortSignal }),
    ),
  );
}

interface UploadOptions {
  readonly conditions: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string };
  readonly metadata: Record<string, string>;
  readonly blobHTTPHeaders: { readonly blobContentType: string };
  readonly tier?: AccessTier;
}

/** As Litestream has them, but for the tier, which is for files: the rest is small and read often. */
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
