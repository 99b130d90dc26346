/**
 * One page in an LTX file (ltx-format 1.2). The kernel encodes and decodes frames; here is only how
 * long one is.
 *
 *  off size field
 *    0   4  page number, big-endian
 *    4   2  flags, big-endian: 1 an LZ4 block, 0 an LZ4 frame
 *    6   4  flag 1: length of the block, big-endian; then the block
 *        7  flag 0: start of the LZ4 frame (magic, flags, descriptor, header checksum)
 *   13   4  flag 0: size of its one block, little-endian, bit 31 set if stored as it is; then the
 *           block, an end mark of 4 bytes, a content checksum of 4 bytes
 *
 * Six zero bytes end the pages.
 */

export const PAGE_HEADER_SIZE_BYTES = 6;
/** Flag of a page that is a raw LZ4 block with its length before it. */
export const PAGE_FLAG_BLOCK = 0x1;
const BLOCK_START_BYTES = PAGE_HEADER_SIZE_BYTES + 4;
const LZ4_FRAME_START_BYTES = PAGE_HEADER_SIZE_BYTES + 7 + 4;
const LZ4_FRAME_END_BYTES = 4 + 4;

/** The most that a page frame of `pageSize` bytes can have: a block that is all literals. */
export function frameBytesMax(pageSize: number): number {
  const block = pageSize + Math.floor(pageSize / 255) + 16;
  return Math.max(
    BLOCK_START_BYTES + block,
    LZ4_FRAME_START_BYTES + pageSize + LZ4_FRAME_END_BYTES,
  );
}

/** Size of the frame at the start of `bytes`, as it tells it itself, or how many bytes would tell it. */
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
