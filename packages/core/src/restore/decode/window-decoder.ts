/**
 * Reads, decodes and hashes the frames of one window of a database, newest file first, and writes
 * its pages in one call. Runs in a thread that reads the files by their descriptors.
 */

import { messageOf, ReplicationError } from '../../error.ts';
import { readFullySync } from '../../file-io.ts';
import { createKernel, type DecodedPages, type Kernel } from '../../kernel/kernel.ts';
import type { HashedPart } from '../../ltx/checksum.ts';
import { lockPgno } from '../../ltx/header.ts';
import { hashedStartBytes } from '../../ltx/page-frame.ts';
import { missingPageError } from './missing-page.ts';
import { PageSet } from './page-set.ts';
import type { Slice, Window } from './windows.ts';
import { writePages } from './write-pages.ts';

export interface WindowSettings {
  /** Descriptor of the output file. */
  readonly output: number;
  /** Descriptors of the LTX files, newest first. */
  readonly files: readonly number[];
  readonly pageSize: number;
  /** Size of the database in pages: later pages are decoded but not written. */
  readonly commit: number;
  readonly windowPages: number;
}

/** A damaged file, by its index. */
export class SliceError extends Error {
  readonly file: number;

  constructor(file: number, cause: unknown) {
    super(messageOf(cause), { cause });
    this.file = file;
  }
}

export class WindowDecoder {
  readonly #kernel: Kernel = createKernel();
  readonly #settings: WindowSettings;
  readonly #pages: Uint8Array;

  constructor(settings: WindowSettings) {
    this.#settings = settings;
    this.#pages = new Uint8Array(settings.windowPages * settings.pageSize);
  }

  /**
   * Returns the hashes of the window's slices, in their order. SliceError for a file that does not
   * match its index; RESTORE_INTEGRITY for a page that no file has; RESTORE_OUTPUT.
   */
  decode(window: Window): HashedPart[] {
    const claimed = new PageSet();
    const hashed = window.slices.map((slice) => {
      try {
        return this.#decodeSlice(slice, window, claimed);
      } catch (error) {
        throw new SliceError(slice.file, error);
      }
    });
    this.#write(window, claimed);
    return hashed;
  }

  #decodeSlice(slice: Slice, window: Window, claimed: PageSet): HashedPart {
    const { pageSize } = this.#settings;
    const { input } = this.#kernel;
    const descriptor = this.#settings.files[slice.file] ?? -1;
    let crc = 0n;
    let hashedBytes = 0;
    let last = window.firstPgno - 1;
    let pages = 0;
    let filled = 0;
    for (let at = slice.start; at < slice.end || filled > 0;) {
      const wanted = Math.min(input.length - filled, slice.end - at);
      readWhole(descriptor, input.subarray(filled, filled + wanted), at);
      at += wanted;
      filled += wanted;
      let used = 0;
      while (used < filled) {
        const bytes = input.subarray(used, filled);
        const decoded = this.#kernel.decodePages(bytes, pageSize, crc);
        if (decoded.stopped === 'end') throw frameMismatch();
        if (decoded.consumedBytes === 0) break;
        last = requireAscending(decoded.pgnos, last, window.lastPgno);
        hashedBytes += hashedBytesOf(bytes, decoded.sizes, pageSize);
        pages += decoded.pgnos.length;
        crc = decoded.crc;
        this.#take(decoded, window.firstPgno, claimed);
        used += decoded.consumedBytes;
      }
      if (used === 0) throw frameMismatch(); // the input holds all bytes, or at least one whole frame
      input.copyWithin(0, used, filled);
      filled -= used;
    }
    if (pages !== slice.pages) throw frameMismatch();
    return { crc, hashedBytes };
  }

  /** Keeps the pages that no newer file has; adjacent pages in one copy. */
  #take({ pgnos, pages }: DecodedPages, firstPgno: number, claimed: PageSet): void {
    const { commit, pageSize } = this.#settings;
    const isWanted = (at: number): boolean => {
      const pgno = pgnos[at];
      return pgno !== undefined && pgno <= commit && claimed.add(pgno - firstPgno);
    };
    for (let first = 0; first < pgnos.length;) {
      if (!isWanted(first)) {
        first += 1;
        continue;
      }
      const pgno = pgnos[first] as number;
      let next = first + 1;
      while (pgnos[next] === pgno + (next - first) && isWanted(next)) next += 1;
      this.#pages.set(
        pages.subarray(first * pageSize, next * pageSize),
        (pgno - firstPgno) * pageSize,
      );
      // The page at `next` was already checked and is not wanted.
      first = next;
    }
  }

  #write({ firstPgno, lastPgno }: Window, claimed: PageSet): void {
    const { commit, output, pageSize } = this.#settings;
    const last = Math.min(lastPgno, commit);
    const lock = lockPgno(pageSize);
    for (let pgno = firstPgno; pgno <= last; pgno++) {
      if (claimed.has(pgno - firstPgno)) continue;
      if (pgno !== lock) throw missingPageError(pgno, commit);
      this.#pages.fill(0, (pgno - firstPgno) * pageSize, (pgno - firstPgno + 1) * pageSize);
    }
    if (last < firstPgno) return;
    const bytes = this.#pages.subarray(0, (last - firstPgno + 1) * pageSize);
    writePages(output, bytes, (firstPgno - 1) * pageSize);
  }
}

function requireAscending(pgnos: Uint32Array, before: number, limit: number): number {
  let last = before;
  for (const pgno of pgnos) {
    if (pgno <= last || pgno > limit) throw frameMismatch();
    last = pgno;
  }
  return last;
}

/** The file checksum covers the start of each frame and the uncompressed page. */
function hashedBytesOf(bytes: Uint8Array, sizes: Uint32Array, pageSize: number): number {
  let hashed = 0;
  let at = 0;
  for (const size of sizes) {
    hashed += hashedStartBytes(bytes[at + 5] as number) + pageSize;
    at += size;
  }
  return hashed;
}

function readWhole(descriptor: number, target: Uint8Array, position: number): void {
  const count = readFullySync(descriptor, target, position);
  if (count === target.length) return;
  const where = `it ends at byte ${position + count}`;
  throw new ReplicationError('LTX_TRUNCATED', `the file is cut off: ${where}`);
}

function frameMismatch(): ReplicationError {
  return new ReplicationError('LTX_INVALID', 'its page frames are not those that its index names');
}
