/** Conversion between bodies and byte arrays. */

import { ReplicationError } from '../error.ts';
import type { ObjectBody } from './client.ts';

/** A body with these bytes, which can be opened any number of times. Do not change the bytes meanwhile. */
export function bodyFromBytes(bytes: Uint8Array, createdAt?: Date): ObjectBody {
  return {
    sizeBytes: bytes.byteLength,
    createdAt,
    async *open() {
      if (bytes.byteLength > 0) yield bytes;
    },
  };
}

/** Reads all bytes of a stream. Closes it and throws LTX_INVALID as soon as there are more than `sizeMax`. */
export async function readBytes(
  body: AsyncIterable<Uint8Array>,
  sizeMax: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > sizeMax) {
      throw new ReplicationError('LTX_INVALID', `read a small file: more than ${sizeMax} bytes`);
    }
    chunks.push(chunk);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, sizeBytes);
}
