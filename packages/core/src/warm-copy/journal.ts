/**
 * SQLite's rollback journal: the pages of a database as they were before a change. If a process dies
 * during the change, the next program that opens the database writes them back. All integers big-endian.
 *
 *  off size header, padded to SECTOR_BYTES      off size record, one per page
 *    0   8  magic                                 0   4  page number
 *    8   4  number of records                     4   n  the page
 *   12   4  nonce                               4+n   4  checksum: the nonce, plus every 200th byte
 *   16   4  size of the database in pages
 *   20   4  SECTOR_BYTES
 *   24   4  page size
 *
 * SQLite stops at the first record that is cut off or has a wrong checksum. It also gives the database
 * the size in the header.
 */

import { writeFullySync } from '../file-io.ts';

const MAGIC = Uint8Array.of(0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7);
/** SQLite accepts any power of two from 32. This is the unit that most disks write at once. */
const SECTOR_BYTES = 4096;
const CHECKSUM_STRIDE = 200;
/** Records are written in pieces of at least this size. */
const BUFFER_BYTES: number = 256 * 1024;

/** The database that a journal restores. */
export interface JournaledDatabase {
  readonly pageSize: number;
  /** Size in pages. */
  readonly commit: number;
}

/** Writes one journal to an empty file. */
export class JournalWriter {
  readonly #descriptor: number;
  readonly #database: JournaledDatabase;
  readonly #nonce: number;
  readonly #buffer: Uint8Array;
  #filled = 0;
  #end = SECTOR_BYTES;
  #count = 0;

  /** `nonce`: a random 32-bit number, so that no older journal's records are valid in this one. */
  constructor(descriptor: number, database: JournaledDatabase, nonce: number) {
    this.#descriptor = descriptor;
    this.#database = database;
    this.#nonce = nonce;
    this.#buffer = new Uint8Array(Math.max(BUFFER_BYTES, recordBytes(database.pageSize)));
  }

  /** Adds the original content of a page. Never the lock page: SQLite would stop there. */
  add(pgno: number, page: Uint8Array): void {
    const size = recordBytes(this.#database.pageSize);
    if (this.#filled + size > this.#buffer.length) this.#flush();
    const record = this.#buffer.subarray(this.#filled, this.#filled + size);
    const view = new DataView(record.buffer, record.byteOffset);
    view.setUint32(0, pgno);
    record.set(page, 4);
    view.setUint32(size - 4, checksum(page, this.#nonce));
    this.#filled += size;
    this.#count += 1;
  }

  /** Writes the header last. Without it, SQLite ignores the file. */
  finish(): void {
    this.#flush();
    const header = new Uint8Array(SECTOR_BYTES);
    header.set(MAGIC);
    const view = new DataView(header.buffer);
    view.setUint32(8, this.#count);
    view.setUint32(12, this.#nonce);
    view.setUint32(16, this.#database.commit);
    view.setUint32(20, SECTOR_BYTES);
    view.setUint32(24, this.#database.pageSize);
    writeFullySync(this.#descriptor, header, 0);
  }

  #flush(): void {
    writeFullySync(this.#descriptor, this.#buffer.subarray(0, this.#filled), this.#end);
    this.#end += this.#filled;
    this.#filled = 0;
  }
}

function recordBytes(pageSize: number): number {
  return 4 + pageSize + 4;
}

function checksum(page: Uint8Array, nonce: number): number {
  let sum = nonce;
  for (let at = page.length - CHECKSUM_STRIDE; at > 0; at -= CHECKSUM_STRIDE) {
    sum += page[at] as number;
  }
  return sum >>> 0;
}
