/**
 * Access to the database file: its one descriptor and its evidence.
 *
 * POSIX locks belong to the process, and closing any descriptor of a file drops all locks that the
 * process holds on it (hazards E-1). So each file has one descriptor, kept open while the file has a name.
 */

import fs from 'node:fs';
import { ReplicationError } from '../../error.ts';
import { readFullySync } from '../../file-io.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { isWritten, toFileStamp, type FileEvidence, type FileStamp } from './evidence.ts';

interface OpenFile {
  readonly path: string;
  readonly descriptor: number;
  /** How many have called `descriptorOf`, and neither `releaseDescriptor` nor `keepDescriptor` after it. */
  users: number;
}

/** Keyed by device and inode. While a file is open, its inode is not reused. */
const files = new Map<string, OpenFile>();

/** Offset of the page size in the database header. */
const PAGE_SIZE_OFFSET = 16;
/** Also the number of bytes hashed if the header has no valid page size. */
const PAGE_SIZE_MIN = 512;

/** Maximum attempts to read a file that is being written to. */
const ATTEMPTS_MAX = 3;

/** A descriptor for positioned reads of `path`, which is a real path. Only `releaseDescriptor` may close it. */
export function descriptorOf(path: string): number {
  closeDeleted(path);
  const known = files.get(keyOf(fs.statSync(path, { bigint: true })));
  if (known !== undefined) {
    known.users += 1;
    return known.descriptor;
  }
  const descriptor = fs.openSync(path, 'r');
  const key = keyOf(fs.fstatSync(descriptor, { bigint: true }));
  // If the name was just moved to a file that is already open, both descriptors stay open.
  if (!files.has(key)) files.set(key, { path, descriptor, users: 1 });
  return descriptor;
}

/**
 * Closes the descriptor if nobody else uses it. Call only if this process has no other connection to the file: all
 * POSIX locks on it are lost.
 */
export function releaseDescriptor(descriptor: number): void {
  for (const [key, file] of files) {
    if (file.descriptor !== descriptor) continue;
    file.users -= 1;
    if (file.users > 0) return;
    fs.closeSync(descriptor);
    files.delete(key);
  }
}

/** The caller does not use the descriptor any more. It stays open for the next caller of `descriptorOf`. */
export function keepDescriptor(descriptor: number): void {
  for (const file of files.values()) if (file.descriptor === descriptor) file.users -= 1;
}

/** Stamp of the file at `path`; undefined if it does not exist. */
export function readStamp(path: string): FileStamp | undefined {
  const stats = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : toFileStamp(stats);
}

/** Number of hard links of the file at `path`. */
export function countLinks(path: string): number {
  return fs.statSync(path).nlink;
}

/**
 * CONFIG_INVALID if the file at `path` is also the file of one of the other paths. Two names have two logs: each of their
 * readers would see a file that is written to by the other log.
 */
export function refuseSecondName(path: string, others: Iterable<string>): void {
  const own = statOf(path);
  if (own === undefined) return;
  if (own.nlink === 1n && fs.realpathSync.native(path) === path) return; // it has no other name
  for (const other of others) {
    const found = statOf(other);
    if (found === undefined || keyOf(found) !== keyOf(own)) continue;
    throw new ReplicationError(
      'CONFIG_INVALID',
      `add ${path}: it is another name of ${other}, which is replicated already; use the name that the application uses`,
    );
  }
}

/** undefined if there is none, or it cannot be seen. */
function statOf(path: string): fs.BigIntStats | undefined {
  try {
    return fs.statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

/** Evidence of the open file; undefined while it is being written to. */
export function readEvidence(descriptor: number, kernel: Kernel): FileEvidence | undefined {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const stamp = stampOf(descriptor);
    const firstPage = kernel.crc64(readFirstPage(descriptor));
    if (!isWritten(stamp, stampOf(descriptor))) return { ...stamp, firstPage };
  }
  return undefined;
}

/** Page 1 by the page size in its header; the first PAGE_SIZE_MIN bytes if that size is invalid. */
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

/** Closes deleted files, to free their disk space. None of our connections uses them any more. */
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
