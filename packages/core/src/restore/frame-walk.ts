/**
 * Walks over page frames without decoding them: where each ends, so that bytes can be cut between
 * two. What it takes for a frame is decoded and hashed by a thread afterwards, which proves it.
 */

import { ReplicationError } from '../error.ts';
import { PAGE_FLAG_BLOCK, PAGE_HEADER_SIZE_BYTES } from '../ltx/page-frame.ts';

/** Before a block: page header and the block's length. */
export const BLOCK_START_BYTES: number = PAGE_HEADER_SIZE_BYTES + 4;
/** Before an LZ4 frame's one block: page header, magic, descriptor, the block's size. */
const FRAME_START_BYTES = PAGE_HEADER_SIZE_BYTES + 7 + 4;
/** After it: end mark and content checksum. */
const FRAME_END_BYTES = 8;

/**
 * Size of the page frame at `at`; 0 where `end` comes before the bytes that tell it, or before its
 * own end. LTX_INVALID for what no page of `pageSize` bytes has: so no size can be larger than a
 * little over a page.
 */
export function sizeOfFrame(bytes: Uint8Array, at: number, end: number, pageSize: number): number {
  if (end - at < PAGE_HEADER_SIZE_BYTES) return 0;
  const flags = ((bytes[at + 4] as number) << 8) | (bytes[at + 5] as number);
  if (flags === PAGE_FLAG_BLOCK) {
    if (end - at < BLOCK_START_BYTES) return 0;
    const length = readUint32(bytes, at + 6);
    if (length === 0 || length > pageSize + Math.floor(pageSize / 255) + 16)
      throw badLength(length);
    const size = BLOCK_START_BYTES + length;
    return end - at < size ? 0 : size;
  }
  if (flags !== 0) throw new ReplicationError('LTX_INVALID', `page frame with flags ${flags}`);
  if (end - at < FRAME_START_BYTES) return 0;
  const word = at + FRAME_START_BYTES - 4; // little-endian; its top bit: the block is stored as it is
  const length =
    (bytes[word] as number) |
    ((bytes[word + 1] as number) << 8) |
    ((bytes[word + 2] as number) << 16) |
    (((bytes[word + 3] as number) & 0x7f) << 24);
  if (length === 0 || length > pageSize) throw badLength(length);
  const size = FRAME_START_BYTES + length + FRAME_END_BYTES;
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
