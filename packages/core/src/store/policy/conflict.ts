/**
 * Whose conflict is it? An 'if-absent' write that is refused may be our own, whose answer was lost
 * (the AWS SDK repeats a committed `If-None-Match: *` by itself and throws 412). So before a
 * conflict is reported, what lies there is read: the same size and the same trailer is success. The
 * trailer of an LTX file holds the checksum of all its bytes. A named object is compared whole, and
 * whoever writes one under a condition puts a nonce into it.
 */

import { isError } from '../../error.ts';
import type { LTXBody, LTXFileInfo, LTXFileRef, NamedObjects, ReplicaClient } from '../client.ts';
import { readBytes } from '../read-bytes.ts';
import { wrapCopy } from './wrap-copy.ts';
import { wrapLocal } from './wrap-local.ts';

/** Two checksums of 8 bytes at the end of an LTX file. */
const TRAILER_SIZE_BYTES = 16;
/** What a named object may hold. */
export const OBJECT_BYTES_MAX = 1_048_576;

export function settleConflicts(client: ReplicaClient): ReplicaClient {
  return {
    listFiles: (level, options) => client.listFiles(level, options),
    openFile: (file, options) => client.openFile(file, options),
    deleteFiles: (files, options) => client.deleteFiles(files, options),
    ...wrapLocal(client, (open) => open),
    ...wrapCopy(client, (copy) => copy),

    async writeFile(file, body, options = {}) {
      try {
        return await client.writeFile(file, body, options);
      } catch (error) {
        if (options.condition !== 'if-absent' || !isError(error, 'REPLICA_CONFLICT')) throw error;
        const mine = await findOwn(client, file, body, options.signal);
        if (mine === undefined) throw error;
        return mine;
      }
    },
  };
}

/** The file that lies there, if it is this body's. */
async function findOwn(
  client: ReplicaClient,
  file: LTXFileRef,
  body: LTXBody,
  signal: AbortSignal | undefined,
): Promise<LTXFileInfo | undefined> {
  const listed = await findListed(client, file, signal);
  if (listed === undefined || listed.sizeBytes !== body.sizeBytes) return undefined;
  const start = Math.max(body.sizeBytes - TRAILER_SIZE_BYTES, 0);
  const theirs = await readTail(client, file, start, signal);
  if (theirs === undefined) return undefined;
  const ours = await lastBytes(body.open(), TRAILER_SIZE_BYTES);
  return Buffer.compare(theirs, ours) === 0 ? listed : undefined;
}

async function findListed(
  client: ReplicaClient,
  file: LTXFileRef,
  signal: AbortSignal | undefined,
): Promise<LTXFileInfo | undefined> {
  for await (const found of client.listFiles(file.level, { from: file.minTXID, signal })) {
    if (found.minTXID > file.minTXID) return undefined;
    if (found.minTXID === file.minTXID && found.maxTXID === file.maxTXID) return found;
  }
  return undefined;
}

async function readTail(
  client: ReplicaClient,
  file: LTXFileRef,
  start: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  try {
    const { body } = await client.openFile(file, { range: { start }, signal });
    return await readBytes(body, TRAILER_SIZE_BYTES);
  } catch (error) {
    if (isError(error, 'REPLICA_NOT_FOUND')) return undefined; // deleted meanwhile
    throw error;
  }
}

/** The end of a body. Reads all of it, which only an ambiguous conflict has to pay. */
async function lastBytes(body: AsyncIterable<Uint8Array>, count: number): Promise<Uint8Array> {
  let last: Uint8Array = new Uint8Array(0);
  for await (const chunk of body) {
    last = chunk.byteLength >= count ? chunk.slice(-count) : Buffer.concat([last, chunk]);
    last = last.slice(-count);
  }
  return last;
}

export function settleObjectConflicts(objects: NamedObjects): NamedObjects {
  return {
    get: (name, options) => objects.get(name, options),
    list: (prefix, options) => objects.list(prefix, options),
    delete: (name, options) => objects.delete(name, options),

    async put(name, bytes, options = {}) {
      try {
        return await objects.put(name, bytes, options);
      } catch (error) {
        if (options.condition === undefined || !isError(error, 'REPLICA_CONFLICT')) throw error;
        const version = await versionIfEqual(objects, name, bytes, options.signal);
        if (version === undefined) throw error;
        return { version };
      }
    },
  };
}

async function versionIfEqual(
  objects: NamedObjects,
  name: string,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  try {
    const { sizeBytes, version, body } = await objects.get(name, { signal });
    if (sizeBytes !== bytes.byteLength) {
      await readBytes(body, 0).catch(() => undefined); // nobody reads it: let go of it
      return undefined;
    }
    const theirs = await readBytes(body, OBJECT_BYTES_MAX);
    return Buffer.compare(theirs, bytes) === 0 ? version : undefined;
  } catch (error) {
    if (isError(error, 'REPLICA_NOT_FOUND')) return undefined;
    throw error;
  }
}
