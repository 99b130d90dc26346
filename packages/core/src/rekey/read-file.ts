/** Reads an LTX file of a destination, decrypted, with the header at its start, and verifies it on the way. */

import { isError, ReplicationError } from '../error.ts';
import { threadKernel } from '../kernel/kernel.ts';
import { decodeHeader, HEADER_SIZE_BYTES, type LTXHeader } from '../ltx/header.ts';
import { FileVerifier } from '../repair/read-whole.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import { describeFile } from '../store/describe.ts';

export interface DecryptedFile {
  readonly header: LTXHeader;
  readonly sizeBytes: number;
  /**
   * All bytes, with the header; the last ones come after all of them were verified. LTX_… if the file is damaged, or
   * is another one than its name says. Can be read once; leave it early to free the connection.
   */
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
    return { header, sizeBytes, body: verified(file, prepended(start, chunks)) };
  } catch (error) {
    await chunks.return?.();
    throw withName(file, error);
  }
}

function verified(
  file: LTXFileInfo,
  chunks: AsyncIterator<Uint8Array>,
): AsyncIterableIterator<Uint8Array> {
  const verifier = new FileVerifier(file, threadKernel());
  let held: Uint8Array | undefined;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      try {
        for (;;) {
          const next = await chunks.next();
          const before = held;
          held = undefined;
          if (next.done !== true) {
            verifier.push(next.value);
            held = next.value.slice();
          } else if (before === undefined) return { done: true, value: undefined };
          else verifier.finish();
          if (before !== undefined) return { done: false, value: before };
        }
      } catch (error) {
        await chunks.return?.(); // frees the connection
        throw withName(file, error);
      }
    },
    async return() {
      await chunks.return?.();
      return { done: true, value: undefined };
    },
  };
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

/** An error about the content names the file. */
function withName(file: LTXFileInfo, error: unknown): unknown {
  if (!isError(error) || !error.code.startsWith('LTX_')) return error;
  const { code, message } = error;
  return new ReplicationError(code, `read ${describeFile(file)}: ${message}`, { cause: error });
}
