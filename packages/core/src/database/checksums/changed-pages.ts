/**
 * The pages of a database that differ from their checksums, collected by a fuzzy copy
 * (images/fuzzy-copy.ts): pages of the file, and the newest version of every page in a frame.
 *
 * Memory holds a few numbers for each page that differs or is in a frame. Disk holds one slot for each
 * page that differs.
 */

import { ReplicationError } from '../../error.ts';
import type { ScratchFile } from '../../file-system.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { lockPgno } from '../../ltx/header.ts';
import type { FrameBatch } from '../../wal/reader.ts';
import type { CopiedPages, FrozenState } from '../images/fuzzy-copy.ts';
import { FileCursor, type ReadFile } from '../images/file-cursor.ts';
import type { ChecksumTable } from './checksum-table.ts';

export interface ChangedPagesOptions {
  readonly kernel: Kernel;
  /** The checksums to compare with. */
  readonly table: ChecksumTable;
  readonly read: ReadFile;
}

export class ChangedPages implements CopiedPages {
  readonly #options: ChangedPagesOptions;
  readonly #scratch: ScratchFile;
  /** Slot of each page that has ever differed, counted in pages. */
  readonly #slots = new Map<number, number>();
  readonly #changed = new Set<number>();
  /** Pages in frames. The file may have an older or torn version of them. */
  readonly #framed = new Set<number>();
  readonly #most: number;
  readonly #cursor: FileCursor;
  #commit = 0;
  /** Whether the rest of the file was not read, because too many pages differed. */
  #hasGivenUp = false;

  constructor(options: ChangedPagesOptions, scratch: ScratchFile) {
    this.#options = options;
    this.#cursor = new FileCursor({ ...options, pageSize: options.table.pageSize });
    this.#scratch = scratch;
    this.#most = Math.floor(options.table.pages / 2);
  }

  get copiedPages(): number {
    return this.#cursor.nextPgno - 1;
  }

  get commit(): number {
    return this.#commit;
  }

  /** Whether so many pages differ that a full snapshot is the better choice. */
  get isTooMany(): boolean {
    return this.#hasGivenUp || this.#changed.size > this.#most;
  }

  add(batch: FrameBatch): void {
    for (let index = 0; index < batch.count; index++) {
      const pgno = batch.pgnos[index] ?? 0;
      this.#framed.add(pgno);
      this.#compare(pgno, batch.page(index));
      const commit = batch.commits[index] ?? 0;
      if (commit !== 0) this.#commit = commit;
    }
  }

  missing(commit: number): number[] {
    return this.#cursor.missing(commit, (pgno) => this.#framed.has(pgno));
  }

  /** Ends early if too many pages differ. */
  step(): 'more' | 'done' {
    const { kernel, table } = this.#options;
    const { pageSize } = table;
    this.#hasGivenUp = this.isTooMany;
    const batch = this.#hasGivenUp ? undefined : this.#cursor.next();
    if (batch === undefined) return 'done';
    const { firstPgno, count, pages } = batch;
    const words = table.hash(kernel, pages);
    for (let index = 0; index < count; index++) {
      const pgno = firstPgno + index;
      if (this.#framed.has(pgno)) continue;
      if (table.matches(pgno, words[2 * index] ?? 0, words[2 * index + 1] ?? 0)) continue;
      this.#put(pgno, pages.subarray(index * pageSize, (index + 1) * pageSize));
    }
    return 'more';
  }

  /** The pages that differ in the frozen state, ascending. */
  pgnos({ commit, remaining }: FrozenState): Uint32Array {
    for (const [pgno, page] of remaining) this.#compare(pgno, page);
    const lock = lockPgno(this.#options.table.pageSize);
    const kept = [...this.#changed].filter((pgno) => pgno <= commit && pgno !== lock);
    return Uint32Array.from(kept).sort();
  }

  /** Copies a page that differs into `into`. */
  readonly read = (pgno: number, into: Uint8Array): void => {
    const { pageSize } = this.#options.table;
    const slot = this.#slots.get(pgno) ?? -1;
    const page = into.subarray(0, pageSize);
    if (slot >= 0 && this.#scratch.read(page, slot * pageSize) === pageSize) return;
    throw new ReplicationError(
      'STAGING_FAILED',
      `read page ${pgno} of the pages that differ from its temporary file: the file is shorter than written; check the disk`,
    );
  };

  discard(): void {
    this.#scratch.discard();
  }

  /** Replaces the version of a page. */
  #compare(pgno: number, page: Uint8Array): void {
    const { kernel, table } = this.#options;
    const [low = 0, high = 0] = table.hash(kernel, page);
    if (table.matches(pgno, low, high)) this.#changed.delete(pgno);
    else this.#put(pgno, page);
  }

  #put(pgno: number, page: Uint8Array): void {
    const slot = this.#slots.get(pgno) ?? this.#slots.size;
    this.#slots.set(pgno, slot);
    this.#changed.add(pgno);
    this.#scratch.write(page, slot * this.#options.table.pageSize);
  }
}
