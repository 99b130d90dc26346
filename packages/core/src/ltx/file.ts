/**
 * Reads and replaces both ends of a stored LTX file. This identifies a file, reads its index or
 * changes its TXIDs without reading its pages.
 *
 *   header, 100 bytes | page frames | six zero bytes | index | its length, u64 | trailer, 16 bytes
 *
 * The checksum in the trailer covers the whole file. Do not trust the header and the index until
 * that checksum was verified over all bytes.
 */

import { ReplicationError } from '../error.ts';
import { combineCRC64, type Kernel } from '../kernel/kernel.ts';
import { CHECKSUM_FLAG } from './checksum.ts';
import {
  decodeHeader,
  encodeHeader,
  HEADER_SIZE_BYTES,
  lockPgno,
  type LTXHeader,
} from './header.ts';
import { hashedStartBytes, PAGE_HEADER_SIZE_BYTES } from './page-frame.ts';
import { decodePageIndex, INDEX_LENGTH_SIZE_BYTES, type PageIndexEntry } from './page-index.ts';
import {
  decodeTrailer,
  FILE_CHECKSUM_SIZE_BYTES,
  TRAILER_SIZE_BYTES,
  type LTXTrailer,
} from './trailer.ts';
import type { TXID } from './txid.ts';

/** Bytes read first: they hold the whole index of a file of about 3,000 pages. As in Litestream. */
export const PAGE_INDEX_TAIL_BYTES: number = 32 * 1024;
/** The largest index that is read at once: about 7 million pages, or 28 GB of 4 KiB pages. */
export const PAGE_INDEX_BYTES_MAX: number = 64 * 1024 * 1024;

/** A request takes longer than so many bytes. */
const SMALL_BYTES_MAX = 16 * 1024;

/** From the end of the index to the end of the file. */
export const AFTER_INDEX_BYTES: number = INDEX_LENGTH_SIZE_BYTES + TRAILER_SIZE_BYTES;
const BEFORE_INDEX_BYTES = HEADER_SIZE_BYTES + PAGE_HEADER_SIZE_BYTES;
/** The smallest file: no pages, and an index of only its zero byte. */
const FILE_BYTES_MIN: number = BEFORE_INDEX_BYTES + 1 + AFTER_INDEX_BYTES;

/** `start`: first byte of the index. `end`: first byte of its length, just after the index. */
export interface PageIndexRange {
  readonly start: number;
  readonly end: number;
}

/** Returns bytes `start` to `end` (exclusive) of the file. Rejects if there are fewer. */
export type ReadFileRange = (start: number, end: number) => Promise<Uint8Array>;

export interface FileEnds {
  readonly sizeBytes: number;
  readonly header: LTXHeader;
  /** The header as stored, with its reserved bytes, which the file checksum covers. */
  readonly headerBytes: Uint8Array;
  /** Flags of the first page; 0 if there is none. */
  readonly pageFlags: number;
  readonly index: PageIndexRange;
  readonly trailer: LTXTrailer;
}

/** LTX_TRUNCATED if the file is too small. */
export async function readHeader(read: ReadFileRange, sizeBytes: number): Promise<LTXHeader> {
  requireSize(sizeBytes, sizeBytes);
  return decodeHeader(await read(0, HEADER_SIZE_BYTES));
}

/**
 * Reads the checksum of all bytes, which identifies a file. LTX_TRUNCATED if the file is too small.
 */
export async function readFileChecksum(read: ReadFileRange, sizeBytes: number): Promise<bigint> {
  requireSize(sizeBytes, sizeBytes);
  return uint64(await read(sizeBytes - FILE_CHECKSUM_SIZE_BYTES, sizeBytes));
}

/** 16 hex digits. */
export function formatFileChecksum(checksum: bigint): string {
  return checksum.toString(16).padStart(16, '0');
}

/**
 * Two small reads, or one of a small file. LTX_TRUNCATED, LTX_INVALID or LTX_UNSUPPORTED if this is not a readable
 * LTX file.
 */
export async function readEnds(read: ReadFileRange, sizeBytes: number): Promise<FileEnds> {
  requireSize(sizeBytes, sizeBytes);
  const [start, end] = await readBothEnds(read, sizeBytes);
  const headerBytes = start.slice(0, HEADER_SIZE_BYTES);
  const header = decodeHeader(headerBytes);
  return {
    sizeBytes,
    header,
    headerBytes,
    pageFlags: new DataView(start.buffer, start.byteOffset).getUint16(HEADER_SIZE_BYTES + 4),
    index: indexRangeOf(end, sizeBytes),
    trailer: decodeTrailer(end.subarray(INDEX_LENGTH_SIZE_BYTES), header.flags),
  };
}

async function readBothEnds(
  read: ReadFileRange,
  sizeBytes: number,
): Promise<[Uint8Array, Uint8Array]> {
  const endAt = sizeBytes - AFTER_INDEX_BYTES;
  if (sizeBytes > SMALL_BYTES_MAX) {
    return await Promise.all([read(0, BEFORE_INDEX_BYTES), read(endAt, sizeBytes)]);
  }
  const whole = await read(0, sizeBytes);
  return [whole.subarray(0, BEFORE_INDEX_BYTES), whole.subarray(endAt)];
}

/** New ends for a file. The bytes from HEADER_SIZE_BYTES to the file checksum do not change. */
export interface ReplacedEnds {
  /** The whole header. */
  readonly head: Uint8Array;
  /** The file checksum, the last FILE_CHECKSUM_SIZE_BYTES bytes. */
  readonly tail: Uint8Array;
  readonly fileChecksum: bigint;
}

/**
 * Gives a full snapshot other TXIDs. CRC is linear, so the new file checksum follows from both
 * headers and the number of bytes hashed after them.
 *
 * The file must hold every page of the database, all in one encoding.
 */
export function withTXIDs(
  ends: FileEnds,
  { minTXID, maxTXID }: { readonly minTXID: TXID; readonly maxTXID: TXID },
  kernel: Pick<Kernel, 'crc64'>,
): ReplacedEnds {
  const head = encodeHeader({ ...ends.header, minTXID, maxTXID });
  const hashed = hashedBytesAfterHeader(ends);
  // The flag bit hides the checksum's top bit. That is harmless: only the difference matters.
  const before = combineCRC64(kernel.crc64(ends.headerBytes), 0n, hashed);
  const after = combineCRC64(kernel.crc64(head), 0n, hashed);
  const fileChecksum = (ends.trailer.fileChecksum ^ before ^ after) | CHECKSUM_FLAG;
  const tail = new Uint8Array(FILE_CHECKSUM_SIZE_BYTES);
  new DataView(tail.buffer).setBigUint64(0, fileChecksum);
  return { head, tail, fileChecksum };
}

/** Number of bytes after the header that the file checksum of a full snapshot covers. */
function hashedBytesAfterHeader({ header, index, pageFlags }: FileEnds): number {
  const { commit, pageSize } = header;
  const pages = commit - (commit >= lockPgno(pageSize) ? 1 : 0);
  const afterPages =
    PAGE_HEADER_SIZE_BYTES +
    (index.end - index.start) +
    (AFTER_INDEX_BYTES - FILE_CHECKSUM_SIZE_BYTES);
  return pages * (hashedStartBytes(pageFlags) + pageSize) + afterPages;
}

/**
 * Locates the index from the last bytes of a file of `sizeBytes` (24 bytes are enough).
 * LTX_TRUNCATED if the file is too small; LTX_INVALID for an impossible length; LTX_UNSUPPORTED for
 * a length above PAGE_INDEX_BYTES_MAX.
 */
export function locatePageIndex(tail: Uint8Array, sizeBytes: number): PageIndexRange {
  const place = indexRangeOf(tail, sizeBytes);
  requireReadable(place);
  return place;
}

/**
 * Reads the entries of a file's index, with one read, or two if it is longer than
 * PAGE_INDEX_TAIL_BYTES. Do not trust them until the checksum of the whole file was verified.
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

/** LTX_UNSUPPORTED for an index that is too large to read at once. */
export function requireReadable({ start, end }: PageIndexRange): void {
  const length = end - start;
  if (length <= PAGE_INDEX_BYTES_MAX) return;
  throw new ReplicationError(
    'LTX_UNSUPPORTED',
    `LTX page index: it has ${length} bytes, which is too large to read at once; read the file from its start`,
  );
}

function indexRangeOf(tail: Uint8Array, sizeBytes: number): PageIndexRange {
  requireSize(sizeBytes, tail.length);
  const length = uint64(tail.subarray(tail.length - AFTER_INDEX_BYTES));
  const end = sizeBytes - AFTER_INDEX_BYTES;
  if (length < 1n || length > BigInt(end - BEFORE_INDEX_BYTES)) {
    throw new ReplicationError(
      'LTX_INVALID',
      `LTX page index: its length is ${length} in a file of ${sizeBytes} bytes`,
    );
  }
  return { start: end - Number(length), end };
}

function requireSize(sizeBytes: number, tailBytes: number): void {
  if (sizeBytes >= FILE_BYTES_MIN && tailBytes >= AFTER_INDEX_BYTES) return;
  throw new ReplicationError(
    'LTX_TRUNCATED',
    `LTX page index: the last ${tailBytes} bytes of a file of ${sizeBytes} cannot hold it`,
  );
}

/** LTX_INVALID unless the frames fill the file from its header to the end of the pages. */
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
    `LTX page index: page ${pgno} at offset ${offset} is outside the pages of the file`,
  );
}

function uint64(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
}
