/** Bodies to write: bytes in memory, and local files. */

import { open, stat } from 'node:fs/promises';

import { ReplicationError } from '../error.ts';
import { readFully } from '../file-io.ts';
import type { AbortableOptions, LTXBody, LTXFileRef, ReplicaClient } from './client.ts';
import { describeFile } from '../replica/describe.ts';
import { readBytes } from './read-bytes.ts';

/** One read of a local file. Each gets a buffer of its own: a backend may hold several. */
const CHUNK_BYTES = 1_048_576;

export function bodyFromBytes(bytes: Uint8Array, createdAt: Date): LTXBody {
  return {
    sizeBytes: bytes.byteLength,
    createdAt,
    async *open() {
      if (bytes.byteLength > 0) yield bytes;
    },
  };
}

export interface FileBodyOptions {
  readonly createdAt: Date;
  /** What the file has now, if it is known; else it is asked for. */
  readonly sizeBytes?: number | undefined;
  readonly sha256?: Uint8Array | undefined;
}

/**
 * A local file, opened by each reader anew and read by position. For staged files only: opening and
 * closing a database drops its locks.
 */
export async function bodyFromFile(path: string, options: FileBodyOptions): Promise<LTXBody> {
  const { createdAt, sha256 } = options;
  const sizeBytes = options.sizeBytes ?? (await stat(path)).size;
  return { sizeBytes, createdAt, sha256, open: () => readFile(path, sizeBytes) };
}

async function* readFile(path: string, sizeBytes: number): AsyncGenerator<Uint8Array, void> {
  const file = await open(path, 'r');
  try {
    let offset = 0;
    while (offset < sizeBytes) {
      const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, sizeBytes - offset));
      const count = await readFully(file, chunk, offset);
      offset += count;
      if (count > 0) yield chunk.subarray(0, count);
      if (count < chunk.byteLength) return; // it became shorter: whoever counts will say so
    }
  } finally {
    await file.close();
  }
}

/** Reads a file of the replica that fits into memory. LTX_INVALID if it has more than `sizeMax`. */
export async function readFileBytes(
  client: ReplicaClient,
  file: LTXFileRef,
  sizeMax: number,
  options: AbortableOptions = {},
): Promise<Uint8Array> {
  const { sizeBytes, body } = await client.openFile(file, options);
  if (sizeBytes <= sizeMax) return await readBytes(body, sizeMax);
  for await (const _ of body) break; // lets go of the connection
  const message = `read ${describeFile(file)}: ${sizeBytes} bytes, and the most is ${sizeMax}`;
  throw new ReplicationError('LTX_INVALID', message);
}
