/**
 * Detects conflicts with our own writes. A refused conditional write may be our own if its response was
 * lost (the AWS SDK repeats a committed `If-None-Match: *` by itself and throws 412). So the object is read
 * before a conflict is reported. An LTX file with the same size and trailer is our own: the trailer has the
 * checksum of all its bytes. Other objects are compared completely; conditional writers add a nonce to them.
 */

import { isError } from '../../error.ts';
import { untilAborted } from '../abort.ts';
import { readBytes } from '../body.ts';
import type { ObjectBody, ObjectInfo, PutOptions, ReplicaClient } from '../client.ts';
import { forward } from './forward.ts';

/** Two checksums of 8 bytes at the end of an LTX file. */
const TRAILER_SIZE_BYTES = 16;
/** Maximum size of an object that is compared completely, and of a named object. */
export const OBJECT_BYTES_MAX = 1_048_576;

export function settleConflicts(client: ReplicaClient): ReplicaClient {
  return {
    ...forward(client),
    async put(key, body, options = {}) {
      try {
        return await client.put(key, body, options);
      } catch (error) {
        if (options.condition === undefined || !isError(error, 'REPLICA_CONFLICT')) throw error;
        const own = await findOwn(client, key, body, options);
        if (own === undefined) throw error;
        return own;
      }
    },
  };
}

/** The existing object, if it has this body. It must be listed: an object that is not listed cannot be restored. */
async function findOwn(
  client: ReplicaClient,
  key: string,
  body: ObjectBody,
  { signal, root }: PutOptions,
): Promise<ObjectInfo | undefined> {
  const { sizeBytes } = body;
  const isFile = body.createdAt !== undefined;
  if (!isFile && sizeBytes > OBJECT_BYTES_MAX) return undefined;
  const listed = await findListed(client, key, { signal, root });
  if (listed?.sizeBytes !== sizeBytes) return undefined;
  const start = isFile ? Math.max(sizeBytes - TRAILER_SIZE_BYTES, 0) : 0;
  try {
    const opened = await client.get(key, { range: { start }, signal, root });
    const theirs = await readBytes(opened.body, sizeBytes - start);
    const ours = await lastBytes(untilAborted(body.open(), signal), sizeBytes - start);
    return Buffer.compare(theirs, ours) === 0 ? { ...listed, version: opened.version } : undefined;
  } catch (error) {
    // It was deleted or replaced in the meantime.
    if (isError(error, 'REPLICA_NOT_FOUND') || isError(error, 'LTX_INVALID')) return undefined;
    throw error;
  }
}

async function findListed(
  client: ReplicaClient,
  key: string,
  options: Pick<PutOptions, 'signal' | 'root'>,
): Promise<ObjectInfo | undefined> {
  for await (const found of client.list(key, options)) return found.key === key ? found : undefined;
  return undefined;
}

/** The last `count` bytes of a body. Reads all of it; only an ambiguous conflict needs this. */
async function lastBytes(body: AsyncIterable<Uint8Array>, count: number): Promise<Uint8Array> {
  let last: Uint8Array = new Uint8Array(0);
  for await (const chunk of body) {
    last = chunk.byteLength >= count ? chunk : Buffer.concat([last, chunk]);
    last = last.slice(Math.max(last.byteLength - count, 0));
  }
  return last;
}
