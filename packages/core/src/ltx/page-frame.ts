/**
 * One page in an LTX file (ltx-format 1.2): u32 page number, u16 flags, then either the length of an
 * LZ4 block and the block (flag 1), or one LZ4 frame (flag 0). Six zero bytes end the pages.
 */

export const PAGE_HEADER_SIZE_BYTES = 6;
/** Flag of a page that is a raw LZ4 block with its length before it. */
export const PAGE_FLAG_BLOCK = 0x1;
/** Magic, flags, block descriptor and header checksum of an LZ4 frame, before its block's size. */
const LZ4_FRAME_START_BYTES = 7;

/** Size of the frame at `at`, as it tells it itself. The caller knows that it is whole. */
export function frameSizeAt(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  if (view.getUint16(4) === PAGE_FLAG_BLOCK) return PAGE_HEADER_SIZE_BYTES + 4 + view.getUint32(6);
  const start = PAGE_HEADER_SIZE_BYTES + LZ4_FRAME_START_BYTES;
  return start + 4 + (view.getUint32(start, true) & 0x7fff_ffff) + 4 + 4;
}
