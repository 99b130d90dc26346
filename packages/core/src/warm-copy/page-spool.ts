/**
 * Collects the pages of LTX files until they are verified, in a scratch file. A later file replaces the
 * pages of an earlier one, so a batch of files becomes one change.
 */

import type { ScratchFile } from '../file-system.ts';
import { assert, ReplicationError } from '../error.ts';
import { lockPgno, type LTXHeader } from '../ltx/header.ts';
import type { DecodedBatch } from '../ltx/decoder.ts';
import type { Change } from './change.ts';

/** Where each page is: its slot in the file plus 1, by page number; 0 if it is not there. */
type Slots = Uint32Array<ArrayBuffer>;

/** Slots are counted in the smallest page size, so that 32 bits are enough for 2 TiB of changes. */
const SLOT_BYTES = 512;

export class PageSpool implements Change {
  readonly #scratch: ScratchFile;
  pageSize: number;
  commit: number;
  /** Pages after this one are new, or were removed meanwhile: files of the change must have them. */
  #keptPages: number;
  #slots: Slots = new Uint32Array(0);
  #endBytes = 0;
  /** Pages of the file that is being read. */
  #pending: { readonly pgnos: number[]; readonly startBytes: number } | undefined;

  /** `pageSize` and `commit` are those of the copy before the change. */
  constructor(file: ScratchFile, copy: { readonly pageSize: number; readonly commit: number }) {
    this.#scratch = file;
    this.pageSize = copy.pageSize;
    this.commit = copy.commit;
    this.#keptPages = copy.commit;
  }

  /** Bytes in the scratch file. */
  get sizeBytes(): number {
    return this.#endBytes;
  }

  /** Starts a file. The pages of a file that was not accepted are forgotten. */
  begin(): void {
    if (this.#pending !== undefined) this.#endBytes = this.#pending.startBytes;
    this.#pending = { pgnos: [], startBytes: this.#endBytes };
  }

  add({ pgnos, pages }: DecodedBatch): void {
    assert(this.#pending !== undefined, 'a file was begun');
    this.#scratch.write(pages, this.#endBytes);
    this.#endBytes += pages.length;
    for (const pgno of pgnos) this.#pending.pgnos.push(pgno);
  }

  /** Whether the file that was begun holds every page of its database. */
  isWhole({ pageSize, commit }: LTXHeader): boolean {
    const count = this.#pending?.pgnos.length ?? 0;
    return count === commit - (commit >= lockPgno(pageSize) ? 1 : 0);
  }

  /**
   * Takes the pages of the file, which was verified. LTX_NOT_CONTIGUOUS if it has another page size, unless
   * it holds every page; RESTORE_INTEGRITY if it grows the database without the new pages. After an error,
   * the change is incomplete: discard it.
   */
  accept(header: LTXHeader): void {
    assert(this.#pending !== undefined, 'a file was begun');
    const { pgnos, startBytes } = this.#pending;
    const { pageSize, commit } = header;
    const isWhole = this.isWhole(header);
    if (pageSize !== this.pageSize && !isWhole) {
      throw new ReplicationError(
        'LTX_NOT_CONTIGUOUS',
        `its page size is ${pageSize} bytes, but the copy has ${this.pageSize}`,
      );
    }
    if (isWhole) this.#slots = new Uint32Array(commit + 1);
    else this.#resize(commit + 1);
    this.pageSize = pageSize;
    this.commit = commit;
    this.#keptPages = isWhole ? 0 : Math.min(this.#keptPages, commit);
    const firstSlot = startBytes / SLOT_BYTES;
    const slotsPerPage = pageSize / SLOT_BYTES;
    for (const [index, pgno] of pgnos.entries()) {
      this.#slots[pgno] = firstSlot + index * slotsPerPage + 1;
    }
    this.#pending = undefined;
    this.#requireNewPages();
  }

  has(pgno: number): boolean {
    return (this.#slots[pgno] ?? 0) !== 0;
  }

  *pgnos(): Generator<number, void> {
    for (let pgno = 1; pgno < this.#slots.length; pgno++) if (this.has(pgno)) yield pgno;
  }

  read(pgno: number, into: Uint8Array): void {
    const slot = (this.#slots[pgno] ?? 0) - 1;
    assert(slot >= 0, 'the page is in the change');
    const count = this.#scratch.read(into, slot * SLOT_BYTES);
    assert(count === into.length, 'the scratch file is complete');
  }

  discard(): void {
    this.#scratch.discard();
  }

  /** Pages beyond the new size are gone, even if the database grows again later. */
  #resize(length: number): void {
    if (length === this.#slots.length) return;
    const slots = new Uint32Array(length);
    slots.set(this.#slots.subarray(0, length));
    this.#slots = slots;
  }

  #requireNewPages(): void {
    const lock = lockPgno(this.pageSize);
    for (let pgno = this.#keptPages + 1; pgno <= this.commit; pgno++) {
      if (pgno === lock || this.has(pgno)) continue;
      throw new ReplicationError(
        'RESTORE_INTEGRITY',
        `page ${pgno} of ${this.commit} is missing: it is new, but no file has it`,
      );
    }
  }
}
