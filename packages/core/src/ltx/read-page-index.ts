/**
 * Finds the page index at a file's end, so that single pages can be read without the rest.
 *
 *   … six zero bytes | index | its length, u64 | trailer, 16 bytes
 */

import { ReplicationError } from '../error.ts';
import { HEADER_SIZE_BYTES } from './header.ts';
import { PAGE_HEADER_SIZE_BYTES } from './page-frame.ts';
import { decodePageIndex, INDEX_LENGTH_SIZE_BYTES, type PageIndexEntry } from './page-index.ts';
import { TRAILER_SIZE_BYTES } from './trailer.ts';

/** Read first: holds the whole index of a file of some 3,000 pages. Litestream reads as much. */
export const PAGE_INDEX_TAIL_BYTES: number = 32 * 1024;
/** The largest index that is read whole: some 7 million pages, 28 GB of them at 4 KiB each. */
export const PAGE_INDEX_BYTES_MAX: number = 64 * 1024 * 1024;

const AFTER_INDEX_BYTES = INDEX_LENGTH_SIZE_BYTES + TRAILER_SIZE_BYTES;
const BEFORE_INDEX_BYTES = HEADER_SIZE_BYTES + PAGE_HEADER_SIZE_BYTES;
const FILE_BYTES_MIN = BEFORE_INDEX_BYTES + 1 + AFTER_INDEX_BYTES;

/** Half open: where the index begins, and where its length does. */
export interface PageIndexPlace {
  readonly start: number;
  readonly end: number;
}

/** Bytes `start` up to but not `end` of the file. */
export type ReadFileRange = (start: number, end: number) => Promise<Uint8Array>;

/**
 * Where the index lies, from the last bytes of a file of `sizeBytes` (24 bytes are enough).
 * LTX_TRUNCATED for a file that is too small to be one; LTX_INVALID for a length that cannot be;
 * LTX_UNSUPPORTED for one above PAGE_INDEX_BYTES_MAX.
 */
export function locatePageIndex(tail: Uint8Array, sizeBytes: number): PageIndexPlace {
  if (sizeBytes < FILE_BYTES_MIN || tail.length < AFTER_INDEX_BYTES) {
    throw new ReplicationError(
      'LTX_TRUNCATED',
      `LTX page index: ${tail.length} bytes from the end of a file of ${sizeBytes} do not hold it`,
    );
  }
  const at = tail.byteOffset + tail.length - AFTER_INDEX_BYTES;
  const length = new DataView(tail.buffer, at).getBigUint64(0);
  const end = sizeBytes - AFTER_INDEX_BYTES;
  if (length < 1n || length > BigInt(end - BEFORE_INDEX_BYTES)) {
    throw new ReplicationError(
      'LTX_INVALID',
      `LTX page index: a length of ${length} in a file of ${sizeBytes} bytes`,
    );
  }
  if (length > BigInt(PAGE_INDEX_BYTES_MAX)) {
    throw new ReplicationError(
      'LTX_UNSUPPORTED',
      `LTX page index: ${length} bytes are more than are read at once; read the file from its start`,
    );
  }
  return { start: end - Number(length), end };
}

/**
 * The entries of a file's index, after one read, or two where it is longer than
 * PAGE_INDEX_TAIL_BYTES. What they say is a hint until the whole file's checksum was proved.
 */
export async function readPageIndex(
  read: ReadFileRange,
  sizeBytes: number,
): Promise<Generator<PageIndexEntry, void>> {
  const tailStart = Math.max(0, sizeBytes - PAGE_INDEX_TAIL_BYTES);
  const tail = await read(tailStart, sizeBytes);
  const { start, end } = locatePageIndex(tail, sizeBytes);
  const bytes =
    start >= tailStart ? tail.subarray(start - tailStart, end - tailStart) : await read(start, end);
  return entriesWithin(bytes, start - PAGE_HEADER_SIZE_BYTES);
}

/** The frames fill the file from its header to the end of the pages, or it is LTX_INVALID. */
function* entriesWithin(bytes: Uint8Array, pagesEnd: number): Generator<PageIndexEntry, void> {
  let end = HEADER_SIZE_BYTES;
  for (const entry of decodePageIndex(bytes)) {
    const { pgno, offset, sizeBytes } = entry;
    if (offset !== end || offset + sizeBytes > pagesEnd) throw outside(pgno, offset);
    end = offset + sizeBytes;
    yield entry;
  }
  if (end !== pagesEnd) throw outside(0, end);
}

function outside(pgno: number, offset: number): ReplicationError {
  return new ReplicationError(
    'LTX_INVALID',
    `LTX page index: page ${pgno} at ${offset} is not where a page can be`,
  );
}
