/**
 * The size of one page frame in an LTX file (ltx-format 1.2). The kernel encodes and decodes the
 * frames themselves.
 *
 *  off size field
 *    0   4  page number, big-endian
 *    4   2  flags, big-endian: 1 for an LZ4 block, 0 for an LZ4 frame
 *    6   4  flag 1: length of the block, big-endian; then the block
 *        7  flag 0: start of the LZ4 frame (magic, flags, descriptor, header checksum)
 *   13   4  flag 0: size of its one block, little-endian, bit 31 set if stored uncompressed; then
 *           the block, an end mark of 4 bytes, a content checksum of 4 bytes
 *
 * Six zero bytes follow the last page.
 */

import { ReplicationError } from '../error.ts';

export const PAGE_HEADER_SIZE_BYTES = 6;
/** Flag of a page stored as a raw LZ4 block, preceded by its length. */
const PAGE_FLAG_BLOCK = 0x1;
/** Bytes before a block: page header and block length. */
const BLOCK_START_BYTES: number = PAGE_HEADER_SIZE_BYTES + 4;
/** Bytes before the one block of an LZ4 frame: page header, magic, descriptor, block size. */
const LZ4_FRAME_START_BYTES = PAGE_HEADER_SIZE_BYTES + 7 + 4;
/** Bytes after that block: end mark and content checksum. */
const LZ4_FRAME_END_BYTES = 4 + 4;

/** The maximum size of a page frame for `pageSize`: a block of only literals. */
export function frameBytesMax(pageSize: number): number {
  const block = blockBytesMax(pageSize);
  return Math.max(
    BLOCK_START_BYTES + block,
    LZ4_FRAME_START_BYTES + pageSize + LZ4_FRAME_END_BYTES,
  );
}

/**
 * Size of the frame at the start of `bytes`, or the number of bytes needed to find out its size.
 */
export function frameBytesWanted(bytes: Uint8Array): number {
  if (bytes.length < PAGE_HEADER_SIZE_BYTES) return PAGE_HEADER_SIZE_BYTES;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0) === 0) return PAGE_HEADER_SIZE_BYTES; // the end of the pages
  if (view.getUint16(4) === PAGE_FLAG_BLOCK) {
    return bytes.length < BLOCK_START_BYTES
      ? BLOCK_START_BYTES
      : BLOCK_START_BYTES + view.getUint32(6);
  }
  if (bytes.length < LZ4_FRAME_START_BYTES) return LZ4_FRAME_START_BYTES;
  const block = view.getUint32(LZ4_FRAME_START_BYTES - 4, true) & 0x7fff_ffff;
  return LZ4_FRAME_START_BYTES + block + LZ4_FRAME_END_BYTES;
}

/** Bytes at a frame's start that the file checksum covers; after them it covers the page itself. */
export function hashedStartBytes(flags: number): number {
  return flags === PAGE_FLAG_BLOCK ? BLOCK_START_BYTES : PAGE_HEADER_SIZE_BYTES;
}

/**
 * Size of the page frame at `at`; 0 if `end` comes before the frame's size is known, or before the
 * frame ends. LTX_INVALID for a size that is impossible for `pageSize`. Only decoding the frame
 * proves that it is valid.
 */
export function sizeOfFrame(bytes: Uint8Array, at: number, end: number, pageSize: number): number {
  if (end - at < PAGE_HEADER_SIZE_BYTES) return 0;
  const flags = ((bytes[at + 4] as number) << 8) | (bytes[at + 5] as number);
  if (flags === PAGE_FLAG_BLOCK) {
    if (end - at < BLOCK_START_BYTES) return 0;
    const length = readUint32(bytes, at + 6);
    if (length === 0 || length > blockBytesMax(pageSize)) throw badLength(length);
    const size = BLOCK_START_BYTES + length;
    return end - at < size ? 0 : size;
  }
  if (flags !== 0) throw new ReplicationError('LTX_INVALID', `page frame with flags ${flags}`);
  if (end - at < LZ4_FRAME_START_BYTES) return 0;
  const word = at + LZ4_FRAME_START_BYTES - 4; // little-endian; top bit: the block is not compressed
  const length =
    (bytes[word] as number) |
    ((bytes[word + 1] as number) << 8) |
    ((bytes[word + 2] as number) << 16) |
    (((bytes[word + 3] as number) & 0x7f) << 24);
  if (length === 0 || length > pageSize) throw badLength(length);
  const size = LZ4_FRAME_START_BYTES + length + LZ4_FRAME_END_BYTES;
  return end - at < size ? 0 : size;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 0x100_0000 +
    (((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number))
  );
}

function badLength(length: number): ReplicationError {
  return new ReplicationError('LTX_INVALID', `page frame with a compressed length of ${length}`);
}

/** The maximum size of an LZ4 block for a page: only literals. */
function blockBytesMax(pageSize: number): number {
  return pageSize + Math.floor(pageSize / 255) + 16;
}
