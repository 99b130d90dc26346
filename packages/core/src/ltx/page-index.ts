/**
 * The page index of an LTX file (ltx-format 1.3): for each page, ascending, three unsigned LEB128
 * varints (page number, offset of its frame in the file, size of its frame), then one zero byte;
 * and after it the length of all that, zero byte included, as u64 big-endian.
 *
 * It is kept as bytes, some 7 to 10 for a page, never as an object each.
 */

import { ReplicationError } from '../error.ts';

/** The first chunk; each further one is as large as all before it, up to CHUNK_BYTES_MAX. */
const CHUNK_BYTES_MIN = 4 * 1024;
const CHUNK_BYTES_MAX = 1024 * 1024;
/** Three varints of at most 10 bytes. */
const ENTRY_BYTES_MAX = 30;
/** Offsets and sizes beyond this are no file's. */
const VALUE_MAX = Number.MAX_SAFE_INTEGER;

export interface PageIndexEntry {
  readonly pgno: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

export class PageIndexWriter {
  readonly #full: Uint8Array[] = [];
  #chunk: Uint8Array = new Uint8Array(CHUNK_BYTES_MIN);
  #used = 0;
  #fullBytes = 0;

  add(pgno: number, offset: number, sizeBytes: number): void {
    if (this.#used + ENTRY_BYTES_MAX > this.#chunk.length) this.#grow();
    this.#put(pgno);
    this.#put(offset);
    this.#put(sizeBytes);
  }

  /** The index with its zero byte and its length. */
  finish(): Uint8Array {
    const length = this.#fullBytes + this.#used + 1;
    const bytes = new Uint8Array(length + 8);
    let at = 0;
    for (const chunk of [...this.#full, this.#chunk.subarray(0, this.#used)]) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    new DataView(bytes.buffer).setBigUint64(length, BigInt(length));
    return bytes;
  }

  #put(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#chunk[this.#used++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#chunk[this.#used++] = rest;
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

/** Entries of `bytes`, which are an index without its length. LTX_INVALID where they are none. */
export function* decodePageIndex(bytes: Uint8Array): Generator<PageIndexEntry, void> {
  let at = 0;
  const take = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = bytes[at++];
      if (byte === undefined) throw invalid('it ends in the middle of an entry');
      value += (byte & 0x7f) * scale;
      if (value > VALUE_MAX) throw invalid('it holds a number that no file has');
      if (byte < 0x80) return value;
    }
  };
  let last = 0;
  for (;;) {
    const pgno = take();
    if (pgno === 0) break;
    if (pgno <= last || pgno > 0xffff_ffff) throw invalid(`page ${pgno} follows page ${last}`);
    last = pgno;
    yield { pgno, offset: take(), sizeBytes: take() };
  }
  if (at !== bytes.length) throw invalid(`${bytes.length - at} bytes follow its end`);
}

function invalid(what: string): ReplicationError {
  return new ReplicationError('LTX_INVALID', `LTX page index: ${what}`);
}
