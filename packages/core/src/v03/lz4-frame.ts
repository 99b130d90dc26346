/**
 * Decodes one LZ4 frame of any length (LZ4 Frame Format 1.6). Integers are little-endian.
 *
 *  size   field
 *    4    magic: 184d2204
 *    1    flags: bits 7-6 version (01), 5 independent blocks, 4 block checksums, 3 content size,
 *         2 content checksum, 1 reserved, 0 dictionary
 *    1    bits 6-4: maximum size of a block (4: 64 KiB, 5: 256 KiB, 6: 1 MiB, 7: 4 MiB); others reserved
 *    8    content size, if flagged
 *    1    header checksum: the second byte of the xxh32 of the fields from the flags on
 *   then blocks, each: 4 bytes size (bit 31: not compressed), the bytes, 4 bytes checksum if flagged
 *    4    0: no more blocks
 *    4    content checksum, if flagged
 *
 * Valid if and only if every field has one of these values, every checksum matches and nothing follows.
 * Dictionaries are not supported. Memory: one block, compressed and decompressed, and 64 KiB.
 */

import { decompressBlock } from './lz4-block.ts';
import { XXH32 } from './xxh32.ts';

export const LZ4_MAGIC = 0x184d2204;

/** How far a match may reach back into earlier blocks. */
const WINDOW_BYTES = 64 * 1024;

/** The bytes are not a complete, valid LZ4 frame. The caller adds the name of the object. */
export class LZ4Error extends Error {}

interface FrameHeader {
  readonly isLinked: boolean;
  readonly hasBlockChecksums: boolean;
  readonly hasContentChecksum: boolean;
  readonly contentSizeBytes: bigint | undefined;
  readonly blockBytesMax: number;
}

/** Yields the decompressed bytes; each chunk is valid until the next one. LZ4Error if the frame is invalid. */
export async function* decodeLZ4Frame(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  const input = new ByteQueue(chunks);
  const header = await readHeader(input);
  const output = new Uint8Array(WINDOW_BYTES + header.blockBytesMax);
  const checksum = new XXH32();
  let totalBytes = 0n;
  // Of the output before WINDOW_BYTES: the bytes of earlier blocks that matches may use.
  let windowBytes = 0;
  for (;;) {
    const word = (await input.view(4)).getUint32(0, true);
    if (word === 0) break;
    const size = word & 0x7fff_ffff;
    if (size > header.blockBytesMax) throw new LZ4Error(`a block has ${size} bytes`);
    const block = await input.take(size);
    if (header.hasBlockChecksums) await requireChecksum(input, new XXH32().update(block));
    let end: number | undefined = WINDOW_BYTES + size;
    if (word >>> 31 === 1) output.set(block, WINDOW_BYTES);
    else end = decompressBlock(block, output, WINDOW_BYTES, WINDOW_BYTES - windowBytes);
    if (end === undefined) throw new LZ4Error('a block does not decompress');
    const decoded = output.subarray(WINDOW_BYTES, end);
    totalBytes += BigInt(decoded.length);
    if (header.hasContentChecksum) checksum.update(decoded);
    yield decoded;
    if (header.isLinked) {
      output.copyWithin(0, end - WINDOW_BYTES, end);
      windowBytes = Math.min(WINDOW_BYTES, windowBytes + decoded.length);
    }
  }
  if (header.hasContentChecksum) await requireChecksum(input, checksum);
  if (header.contentSizeBytes !== undefined && header.contentSizeBytes !== totalBytes) {
    throw new LZ4Error(`it has ${totalBytes} bytes, but announces ${header.contentSizeBytes}`);
  }
  await input.requireEnd();
}

async function readHeader(input: ByteQueue): Promise<FrameHeader> {
  if ((await input.view(4)).getUint32(0, true) !== LZ4_MAGIC) {
    throw new LZ4Error('it does not start with the magic number of an LZ4 frame');
  }
  const start = (await input.take(2)).slice();
  const [flags = 0, descriptor = 0] = start;
  const isKnown = flags >> 6 === 1 && (flags & 0b11) === 0 && (descriptor & 0b1000_1111) === 0;
  const exponent = descriptor >> 4;
  if (!isKnown || exponent < 4) throw new LZ4Error('its header has unknown flags');
  const size = (flags & 0b1000) === 0 ? new Uint8Array(0) : (await input.take(8)).slice();
  const hash = new XXH32().update(start).update(size).digest();
  const [expected] = await input.take(1);
  if (((hash >>> 8) & 0xff) !== expected) {
    throw new LZ4Error('the checksum of its header does not match');
  }
  return {
    isLinked: (flags & 0b10_0000) === 0,
    hasBlockChecksums: (flags & 0b1_0000) !== 0,
    hasContentChecksum: (flags & 0b100) !== 0,
    contentSizeBytes:
      size.length === 0 ? undefined : new DataView(size.buffer).getBigUint64(0, true),
    blockBytesMax: 1 << (8 + 2 * exponent),
  };
}

async function requireChecksum(input: ByteQueue, hash: XXH32): Promise<void> {
  if ((await input.view(4)).getUint32(0, true) === hash.digest()) return;
  throw new LZ4Error('a checksum does not match');
}

/** Takes exact numbers of bytes from a stream of chunks. */
class ByteQueue {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Valid until the next call. LZ4Error if the stream ends before. */
  async take(count: number): Promise<Uint8Array> {
    if (this.#chunk.length >= count) return this.#consume(count);
    const bytes = new Uint8Array(count);
    for (let done = 0; done < count;) {
      if (this.#chunk.length === 0 && !(await this.#advance())) {
        throw new LZ4Error('it ends too early');
      }
      const part = this.#consume(Math.min(count - done, this.#chunk.length));
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  }

  async view(count: number): Promise<DataView> {
    const bytes = await this.take(count);
    return new DataView(bytes.buffer, bytes.byteOffset, count);
  }

  async requireEnd(): Promise<void> {
    while (this.#chunk.length === 0) if (!(await this.#advance())) return;
    throw new LZ4Error('there are bytes after its end');
  }

  #consume(count: number): Uint8Array {
    const part = this.#chunk.subarray(0, count);
    this.#chunk = this.#chunk.subarray(count);
    return part;
  }

  async #advance(): Promise<boolean> {
    const step = await this.#chunks.next();
    if (step.done === true) return false;
    this.#chunk = step.value;
    return true;
  }
}
