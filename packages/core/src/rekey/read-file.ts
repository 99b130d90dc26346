/** Reads an LTX file of a destination, decrypted, with the header at its start. */

import { decodeHeader, HEADER_SIZE_BYTES, type LTXHeader } from '../ltx/header.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';

export interface DecryptedFile {
  readonly header: LTXHeader;
  readonly sizeBytes: number;
  /** All bytes, with the header. Can be read once; leave it early to free the connection. */
  readonly body: AsyncIterableIterator<Uint8Array>;
}

/** Errors of the destination, REPLICA_NO_IDENTITY, and those of a header that cannot be decoded. */
export async function readFile(
  client: ReplicaFiles,
  file: LTXFileInfo,
  signal: AbortSignal | undefined,
): Promise<DecryptedFile> {
  const { sizeBytes, body } = await client.openFile(file, { signal });
  const chunks = body[Symbol.asyncIterator]();
  let start: Buffer = Buffer.alloc(0);
  try {
    while (start.length < HEADER_SIZE_BYTES) {
      const next = await chunks.next();
      if (next.done === true) break;
      start = Buffer.concat([start, next.value]);
    }
    const header = decodeHeader(start);
    return { header, sizeBytes, body: prepended(start, chunks) };
  } catch (error) {
    await chunks.return?.();
    throw error;
  }
}

function prepended(
  start: Uint8Array,
  chunks: AsyncIterator<Uint8Array>,
): AsyncIterableIterator<Uint8Array> {
  let isFirst = true;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (!isFirst) return await chunks.next();
      isFirst = false;
      return { done: false, value: start };
    },
    async return() {
      await chunks.return?.();
      return { done: true, value: undefined };
    },
  };
}
