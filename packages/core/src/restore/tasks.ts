/**
 * A plan cut into portions that threads can work on, newest file first. Small files go whole,
 * several to a portion; large ones in ranges of whole page frames, which their page index tells.
 *
 * The index is a hint only: a range is decoded from its first byte to its last, and the checksum of
 * the file proves that they were the right ones.
 */

import { ReplicationError } from '../error.ts';
import { formatFilename } from '../ltx/filename.ts';
import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import { PAGE_HEADER_SIZE_BYTES } from '../ltx/page-frame.ts';
import { TRAILER_SIZE_BYTES } from '../ltx/trailer.ts';
import type { LTXFileInfo, ReplicaClient } from '../replica/client.ts';
import { readRange } from './reading.ts';

/** Files up to this size are read whole; larger ones in ranges of about this size. */
export const PORTION_BYTES: number = 4 * 1024 * 1024;
/** Index bytes that are read at once. */
const INDEX_CHUNK_BYTES = 1024 * 1024;
const INDEX_LENGTH_SIZE_BYTES = 8;

export interface WholePortion {
  readonly kind: 'whole';
  /** Newest first, as they stand in the plan from its end. */
  readonly files: readonly LTXFileInfo[];
}

export interface RangePortion {
  readonly kind: 'range';
  readonly file: LTXFileInfo;
  readonly start: number;
  readonly end: number;
}

/** What closes a large file: end of pages, index, its length, post-apply checksum; and the checksum. */
export interface LargeFile {
  readonly kind: 'large';
  readonly file: LTXFileInfo;
  readonly indexStart: number;
  readonly pagesEnd: number;
}

/** Portions of a plan's files, which come newest first. Neighbours that are small go together. */
export function* groupFiles(files: readonly LTXFileInfo[]): Generator<WholePortion | LTXFileInfo> {
  let group: LTXFileInfo[] = [];
  let size = 0;
  for (const file of files) {
    if (group.length > 0 && size + file.sizeBytes > PORTION_BYTES) {
      yield { kind: 'whole', files: group };
      group = [];
      size = 0;
    }
    if (file.sizeBytes > PORTION_BYTES) {
      yield file;
    } else {
      group.push(file);
      size += file.sizeBytes;
    }
  }
  if (group.length > 0) yield { kind: 'whole', files: group };
}

/** Where the page index of a large file lies. LTX_INVALID where it tells a place that cannot be. */
export async function locateIndex(
  client: ReplicaClient,
  file: LTXFileInfo,
  signal: AbortSignal | undefined,
): Promise<LargeFile> {
  const end = file.sizeBytes - TRAILER_SIZE_BYTES - INDEX_LENGTH_SIZE_BYTES;
  const range = { start: end, end: end + INDEX_LENGTH_SIZE_BYTES };
  const bytes = await readRange(client, file, range, signal);
  const length = new DataView(bytes.buffer).getBigUint64(0);
  const least = HEADER_SIZE_BYTES + PAGE_HEADER_SIZE_BYTES;
  if (length < 1n || length > BigInt(Math.max(0, end - least))) {
    const name = formatFilename(file.minTXID, file.maxTXID);
    throw new ReplicationError(
      'LTX_INVALID',
      `level ${file.level} ${name}: its page index cannot have ${length} bytes`,
    );
  }
  const indexStart = end - Number(length);
  return { kind: 'large', file, indexStart, pagesEnd: indexStart - PAGE_HEADER_SIZE_BYTES };
}

/** Bytes of the index and what follows it, but the file checksum, in chunks. */
export async function* readIndex(
  client: ReplicaClient,
  large: LargeFile,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  const end = large.file.sizeBytes - TRAILER_SIZE_BYTES;
  for (let start = large.indexStart; start < end; start += INDEX_CHUNK_BYTES) {
    const range = { start, end: Math.min(start + INDEX_CHUNK_BYTES, end) };
    yield await readRange(client, large.file, range, signal);
  }
}

/** Cuts the pages of a large file at frame boundaries, about a portion apart, as index bytes come. */
export class RangeCutter {
  readonly #large: LargeFile;
  #values: number[] = [];
  #value = 0;
  #scale = 1;
  #start = HEADER_SIZE_BYTES;
  #ended = false;

  constructor(large: LargeFile) {
    this.#large = large;
  }

  *push(bytes: Uint8Array): Generator<RangePortion, void> {
    for (const byte of bytes) {
      if (this.#ended) return; // the index's own length follows
      this.#value += (byte & 0x7f) * this.#scale;
      this.#scale *= 0x80;
      if (byte >= 0x80) continue;
      const value = this.#value;
      this.#value = 0;
      this.#scale = 1;
      if (this.#values.length === 0 && value === 0) {
        this.#ended = true;
        continue;
      }
      this.#values.push(value);
      if (this.#values.length < 3) continue;
      const [, offset = 0] = this.#values;
      this.#values = [];
      if (offset - this.#start >= PORTION_BYTES) yield this.#cut(offset);
    }
  }

  *finish(): Generator<RangePortion, void> {
    while (this.#start < this.#large.pagesEnd) yield this.#cut(this.#large.pagesEnd);
  }

  /** A cut that the index has wrong ends in bytes that are no frame, or in a wrong checksum. */
  #cut(end: number): RangePortion {
    const { file, pagesEnd } = this.#large;
    const portion: RangePortion = {
      kind: 'range',
      file,
      start: this.#start,
      end: Math.min(end, pagesEnd, this.#start + PORTION_BYTES * RANGE_FACTOR_MAX),
    };
    this.#start = portion.end;
    return portion;
  }
}

/** A range is never larger than this many portions, whatever the index says. */
const RANGE_FACTOR_MAX = 4;
