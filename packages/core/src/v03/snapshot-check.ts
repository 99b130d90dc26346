/**
 * Checks that the bytes of a snapshot are a database file. An LZ4 frame may hold anything.
 *
 * Litestream 0.3 never uploads an empty snapshot: it writes the first page of an empty database before.
 * If one is stored all the same, Litestream 0.3 restores a file without a byte from it, whatever the WALs
 * hold. Here it is damage.
 */

const MAGIC = 'SQLite format 3\0';
const PAGE_SIZE_OFFSET = 16;
const PAGE_SIZE_MIN = 512;
/** The magic and the page size. */
const START_BYTES = 18;

export class SnapshotCheck {
  #start = Buffer.alloc(0);
  #sizeBytes = 0;

  push(bytes: Uint8Array): void {
    this.#sizeBytes += bytes.length;
    const missing = START_BYTES - this.#start.length;
    if (missing > 0) this.#start = Buffer.concat([this.#start, bytes.subarray(0, missing)]);
  }

  /** The page size. Throws an Error that says why this is no database. */
  end(): number {
    if (this.#sizeBytes === 0) throw new Error('it is empty');
    const isDatabase =
      this.#start.length === START_BYTES && this.#start.toString('latin1').startsWith(MAGIC);
    if (!isDatabase) throw new Error('it is not a SQLite database');
    const stored = this.#start.readUInt16BE(PAGE_SIZE_OFFSET);
    const pageSize = stored === 1 ? 65_536 : stored;
    const isPageSize = pageSize >= PAGE_SIZE_MIN && (pageSize & (pageSize - 1)) === 0;
    if (!isPageSize) throw new Error(`its page size is ${stored}, which SQLite does not allow`);
    if (this.#sizeBytes % pageSize === 0) return pageSize;
    throw new Error(
      `it has ${this.#sizeBytes} bytes, which are not whole pages of ${pageSize} bytes`,
    );
  }
}
