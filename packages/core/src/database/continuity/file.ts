/**
 * The database file: where it really lies, the one descriptor on it, and what it shows.
 *
 * POSIX locks belong to the process, and closing any descriptor of a file drops all that the process
 * holds there (hazards E-1). So each file has one descriptor, which is kept while the file has a name.
 */

import fs from 'node:fs';
import { readFullySync } from '../../file-io.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { isWritten, toFileStamp, type FileEvidence, type FileStamp } from './evidence.ts';

interface OpenFile {
  readonly path: string;
  readonly descriptor: number;
}

/** By device and inode: while a file is open, its inode is not given to another one. */
const files = new Map<string, OpenFile>();

/** Where the page size is in the header of a database, and how much of page 1 is hashed where there is none. */
const PAGE_SIZE_OFFSET = 16;
const PAGE_SIZE_MIN = 512;

/** A look at a file that is being written is tried so often. */
const LOOKS_MAX = 3;

/** A descriptor for reading `path`, a real path, by position. Never close it. */
export function descriptorOf(path: string): number {
  closeDeleted(path);
  const known = files.get(keyOf(fs.statSync(path, { bigint: true })));
  if (known !== undefined) return known.descriptor;
  const descriptor = fs.openSync(path, 'r');
  const key = keyOf(fs.fstatSync(descriptor, { bigint: true }));
  // Where the name was just given to a file that we have open already, both stay open.
  if (!files.has(key)) files.set(key, { path, descriptor });
  return descriptor;
}

/** What `path` names now; undefined where there is nothing. */
export function readStamp(path: string): FileStamp | undefined {
  const stats = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : toFileStamp(stats);
}

/** How many names the file at `path` has. */
export function countLinks(path: string): number {
  return fs.statSync(path).nlink;
}

/** What the file shows; undefined while somebody writes to it. */
export function readEvidence(descriptor: number, kernel: Kernel): FileEvidence | undefined {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const stamp = stampOf(descriptor);
    const firstPage = kernel.crc64(readFirstPage(descriptor));
    if (!isWritten(stamp, stampOf(descriptor))) return { ...stamp, firstPage };
  }
  return undefined;
}

/** Page 1, as long as it says that it is; a part of the file where it says nothing that can be. */
function readFirstPage(descriptor: number): Uint8Array {
  const start = new Uint8Array(PAGE_SIZE_MIN);
  const length = readFullySync(descriptor, start, 0);
  if (length < PAGE_SIZE_MIN) return start.subarray(0, length);
  const stored = new DataView(start.buffer).getUint16(PAGE_SIZE_OFFSET);
  const pageSize = stored === 1 ? 65_536 : stored;
  const isPageSize = pageSize >= PAGE_SIZE_MIN && (pageSize & (pageSize - 1)) === 0;
  if (!isPageSize) return start;
  const page = new Uint8Array(pageSize);
  return page.subarray(0, readFullySync(descriptor, page, 0));
}

export function stampOf(descriptor: number): FileStamp {
  return toFileStamp(fs.fstatSync(descriptor, { bigint: true }));
}

/** A file without a name would keep its space on the disk. None of our connections has it open any more. */
function closeDeleted(path: string): void {
  for (const [key, file] of files) {
    if (file.path !== path || fs.fstatSync(file.descriptor).nlink > 0) continue;
    fs.closeSync(file.descriptor);
    files.delete(key);
  }
}

function keyOf({ dev, ino }: fs.BigIntStats): string {
  return `${dev}:${ino}`;
}
