/** Streams that fit into memory. */

import { ReplicationError } from '../error.ts';

/**
 * All bytes of a stream, of which there may be `sizeMax`. LTX_INVALID, and the stream is freed,
 * as soon as there are more.
 */
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
