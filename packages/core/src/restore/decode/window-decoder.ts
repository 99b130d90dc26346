/**
 * Reads, decodes and hashes the frames of one window of a database, newest file first, and writes
 * its pages in one call. Runs in a thread that reads the files by their descriptors.
 */

import { messageOf, ReplicationError } from '../../error.ts';
import { readFullySync } from '../../file-io.ts';
import { WindowKernel } from '../../kernel/window-kernel.ts';
import type { HashedPart } from '../../ltx/checksum.ts';
import { lockPgno } from '../../ltx/header.ts';
import { missingPageError } from './missing-page.ts';
import type { Slice, Window } from './windows.ts';
import { writeWindow, type OutputDescriptors } from './write-pages.ts';

export interface WindowSettings {
  readonly output: OutputDescriptors;
  /** Descriptors of the LTX files, newest first. */
  readonly files: readonly number[];
  readonly pageSize: number;
  /** Size of the database in pages: later pages are decoded but not written. */
  readonly commit: number;
  readonly windowPages: number;
}

/** Bytes of one read: they are decoded while they are in the cache of the processor. With a page frame, they fit the input. */
const READ_BYTES: number = 256 * 1024;

/** A damaged file, by its index. */
export class SliceError extends Error {
  readonly file: number;

  constructor(file: number, cause: unknown) {
    super(messageOf(cause), { cause });
    this.file = file;
  }
}

export class WindowDecoder {
  readonly #kernel: WindowKernel;
  readonly #settings: WindowSettings;

  constructor(settings: WindowSettings) {
    this.#kernel = new WindowKernel(settings.pageSize, settings.windowPages);
    this.#settings = settings;
  }

  /**
   * Returns the hashes of the window's slices, in their order. SliceError for a file that does not
   * match its index; RESTORE_INTEGRITY for a page that no file has; RESTORE_OUTPUT. Other code runs only
   * while the pages are written.
   */
  async decode(window: Window): Promise<HashedPart[]> {
    this.#kernel.taken.fill(0);
    const hashed = window.slices.map((slice) => {
      try {
        return this.#decodeSlice(slice, window);
      } catch (error) {
        throw new SliceError(slice.file, error);
      }
    });
    await this.#write(window);
    return hashed;
  }

  #decodeSlice(slice: Slice, { firstPgno, lastPgno }: Window): HashedPart {
    const { commit, files } = this.#settings;
    const range = { firstPgno, lastPgno, commit };
    const { input } = this.#kernel;
    const descriptor = files[slice.file] ?? -1;
    let crc = 0n;
    let hashedBytes = 0;
    let afterPgno = firstPgno - 1;
    let pages = 0;
    let filled = 0;
    for (let at = slice.start; at < slice.end;) {
      const wanted = Math.min(READ_BYTES, slice.end - at);
      readWhole(descriptor, input.subarray(filled, filled + wanted), at);
      at += wanted;
      filled += wanted;
      const decoded = this.#kernel.decode({ start: 0, end: filled }, range, { afterPgno, crc });
      const { consumedBytes } = decoded;
      if (decoded.stopped !== 'input') throw frameMismatch();
      hashedBytes += decoded.hashedBytes;
      pages += decoded.pages;
      afterPgno = decoded.lastPgno;
      crc = decoded.crc;
      // The rest is a part of one frame, so it is shorter than what was read.
      input.copyWithin(0, consumedBytes, filled);
      filled -= consumedBytes;
    }
    if (filled > 0 || pages !== slice.pages) throw frameMismatch();
    return { crc, hashedBytes };
  }

  async #write({ firstPgno, lastPgno }: Window): Promise<void> {
    const { commit, output, pageSize } = this.#settings;
    const { pages, taken } = this.#kernel;
    const count = Math.min(lastPgno, commit) + 1 - firstPgno;
    if (count <= 0) return;
    const lock = lockPgno(pageSize);
    for (let at = taken.indexOf(0); at >= 0 && at < count; at = taken.indexOf(0, at + 1)) {
      if (firstPgno + at !== lock) throw missingPageError(firstPgno + at, commit);
      pages.fill(0, at * pageSize, (at + 1) * pageSize);
    }
    await writeWindow(output, pages.subarray(0, count * pageSize), (firstPgno - 1) * pageSize);
  }
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
