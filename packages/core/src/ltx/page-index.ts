/**
 * The page index of an LTX file (ltx-format 1.3): for each page, ascending, three unsigned varints
 * (page number, offset of its frame in the file, size of its frame), then one zero byte. The length
 * of all these bytes, zero byte included, follows as u64 big-endian.
 *
 * It is kept as bytes, about 7 to 10 per page, not as objects.
 */

import { ReplicationError } from '../error.ts';
import { encodeUvarint, UVARINT_BYTES_MAX, UvarintReader } from './uvarint.ts';

/** The length field after the index. */
export const INDEX_LENGTH_SIZE_BYTES = 8;
/** Page number, offset, size. */
const ENTRY_BYTES_MAX: number = 3 * UVARINT_BYTES_MAX;
/** Size of the first chunk; each further chunk doubles the total, up to CHUNK_BYTES_MAX. */
const CHUNK_BYTES_MIN = 4 * 1024;
const CHUNK_BYTES_MAX = 1024 * 1024;
const PGNO_MAX = 0xffff_ffff;

/** Where a page is in a file. Positions and sizes are in bytes. */
export interface PageIndexEntry {
  readonly pgno: number;
  /** Position of the page's frame in the file. */
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Builds the index of a file that is being written. */
export class PageIndexWriter {
  readonly #full: Uint8Array[] = [];
  #chunk: Uint8Array = new Uint8Array(CHUNK_BYTES_MIN);
  #used = 0;
  #fullBytes = 0;

  add(pgno: number, offset: number, sizeBytes: number): void {
    if (this.#used + ENTRY_BYTES_MAX > this.#chunk.length) this.#grow();
    this.#used = encodeEntry(this.#chunk, this.#used, pgno, offset, sizeBytes);
  }

  /** Returns the index with its zero byte and its length. */
  finish(): Uint8Array {
    const length = this.#fullBytes + this.#used + 1;
    const bytes = new Uint8Array(length + INDEX_LENGTH_SIZE_BYTES);
    let at = 0;
    for (const chunk of [...this.#full, this.#chunk.subarray(0, this.#used)]) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    new DataView(bytes.buffer).setBigUint64(length, BigInt(length));
    return bytes;
  }

  #grow(): void {
    this.#full.push(this.#chunk.subarray(0, this.#used));
    this.#fullBytes += this.#used;
    this.#chunk = new Uint8Array(
      Math.min(Math.max(this.#fullBytes, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX),
    );
    this.#used = 0;
  }
}

/**
 * Writes the entries of consecutive frames, the first at `offset`, to `target`. Returns their size
 * in bytes.
 */
export function encodeEntries(
  target: Uint8Array,
  pgnos: ArrayLike<number>,
  sizes: ArrayLike<number>,
  offset: number,
): number {
  let used = 0;
  let at = offset;
  for (let i = 0; i < pgnos.length; i++) {
    const sizeBytes = sizes[i] ?? 0;
    used = encodeEntry(target, used, pgnos[i] ?? 0, at, sizeBytes);
    at += sizeBytes;
  }
  return used;
}

/** Maximum size of the entries of `count` pages. */
export function entriesBytesMax(count: number): number {
  return count * ENTRY_BYTES_MAX;
}

/**
 * Yields the entries of an index. `bytes` includes the zero byte, but not the length. Entries are
 * decoded one at a time, so an index uses no more memory than its bytes. LTX_INVALID unless pages
 * ascend, each frame starts where the one before ends, and nothing follows the zero byte.
 *
 * Do not trust an index until the checksum of the whole file was verified.
 */
export function* decodePageIndex(bytes: Uint8Array): Generator<PageIndexEntry, void> {
  const reader = new UvarintReader(bytes);
  let last: PageIndexEntry | undefined;
  for (;;) {
    const pgno = take(reader);
    if (pgno === 0) break;
    const entry = { pgno, offset: take(reader), sizeBytes: take(reader) };
    checkEntry(entry, last);
    yield entry;
    last = entry;
  }
  if (reader.restBytes > 0) throw invalid(`${reader.restBytes} bytes follow its end`);
}

function encodeEntry(
  target: Uint8Array,
  start: number,
  pgno: number,
  offset: number,
  sizeBytes: number,
): number {
  const afterPgno = encodeUvarint(target, start, pgno);
  return encodeUvarint(target, encodeUvarint(target, afterPgno, offset), sizeBytes);
}

function checkEntry(entry: PageIndexEntry, last: PageIndexEntry | undefined): void {
  const { pgno, offset, sizeBytes } = entry;
  if (pgno > PGNO_MAX) throw invalid(`page number ${pgno} is too high`);
  if (sizeBytes === 0) throw invalid(`the frame of page ${pgno} has no bytes`);
  if (last === undefined) return;
  if (pgno <= last.pgno) throw invalid(`page ${pgno} follows page ${last.pgno}`);
  if (offset !== last.offset + last.sizeBytes) {
    throw invalid(`page ${pgno} is at offset ${offset}, not directly after page ${last.pgno}`);
  }
}

function take(reader: UvarintReader): number {
  try {
    return reader.take();
  } catch (error) {
    if (error instanceof RangeError) throw invalid(error.message, error);
    throw error;
  }
}

function invalid(what: string, cause?: unknown): ReplicationError {
  return new ReplicationError('LTX_INVALID', `LTX page index: ${what}`, { cause });
}
