/**
 * What shows that a database file is the one that was followed, and that nobody has written to it.
 *
 * In WAL mode only a checkpoint writes to the database file, and it publishes its progress in the
 * wal-index only after that. So a file that has not been written since all of its log was backfilled
 * is the state of the last frame of that log, whatever log lies beside it now.
 *
 *  field       what changes it
 *  device      the file lies on another file system; a remount may, without any other change
 *  inode       another file has its name (mv); may be used again for a new file once it is deleted
 *  bornNs      another file has its inode
 *  sizeBytes   a checkpoint that grows or truncates it, most other writers
 *  modifiedNs  a checkpoint, any other writer; can be set back (cp -p, rsync -t, touch)
 *  changedNs   the same, and rename, link, chmod; cannot be set back
 *  firstPage   a checkpoint whose log has a frame of page 1, most other writers
 *
 * The change counter in page 1 says less than it seems to: in WAL mode it moves only in a
 * transaction that changes page 1 for another reason.
 */

import type { BigIntStats } from 'node:fs';

export interface FileStamp {
  readonly device: bigint;
  readonly inode: bigint;
  /** When the inode was made; undefined where the file system does not say. */
  readonly bornNs: bigint | undefined;
  readonly sizeBytes: bigint;
  readonly modifiedNs: bigint;
  readonly changedNs: bigint;
}

export interface FileEvidence extends FileStamp {
  /** CRC-64 of page 1 as it lies in the file. */
  readonly firstPage: bigint;
}

/** A kernel takes the times of its files from a clock that moves every 1 to 10 ms. */
const CLOCK_STEP_MS = 20;
/** Some file systems keep whole seconds, FAT keeps two. */
const COARSE_STEP_MS = 2_100;

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

export function toFileStamp(stats: BigIntStats): FileStamp {
  const { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs } = stats;
  // Where no birth time is kept, 0 or the time of the last change comes in its place.
  const isKept = birthtimeNs !== 0n && birthtimeNs !== ctimeNs;
  return {
    device: dev,
    inode: ino,
    bornNs: isKept ? birthtimeNs : undefined,
    sizeBytes: size,
    modifiedNs: mtimeNs,
    changedNs: ctimeNs,
  };
}

/** Whether both are the same inode, as far as can be told while one of them is open. */
export function isSameFile(a: FileStamp, b: FileStamp): boolean {
  return a.device === b.device && isSameInode(a, b);
}

/** Whether the bytes may differ: chmod, chown and link change neither size nor modification time. */
export function isWritten(a: FileStamp, b: FileStamp): boolean {
  return a.sizeBytes !== b.sizeBytes || a.modifiedNs !== b.modifiedNs;
}

/**
 * Whether `now` is the file that `then` was, and nothing in it has changed. The number of a device
 * may change when a file system is mounted again: then the birth time has to be known.
 */
export function isUntouched(then: FileEvidence, now: FileEvidence): boolean {
  if (isWritten(then, now) || then.changedNs !== now.changedNs) return false;
  if (then.firstPage !== now.firstPage || !isSameInode(then, now)) return false;
  return then.device === now.device || (then.bornNs !== undefined && now.bornNs !== undefined);
}

/** Whether a write from `nowMs` on is sure to change the times of the file. */
export function isSettled(stamp: FileStamp, nowMs: number): boolean {
  const { modifiedNs, changedNs } = stamp;
  const isCoarse = changedNs % NS_PER_SECOND === 0n && modifiedNs % NS_PER_SECOND === 0n;
  const latestMs = Number((modifiedNs > changedNs ? modifiedNs : changedNs) / NS_PER_MS);
  return Math.abs(nowMs - latestMs) > (isCoarse ? COARSE_STEP_MS : CLOCK_STEP_MS);
}

function isSameInode(a: FileStamp, b: FileStamp): boolean {
  const born = a.bornNs === undefined || b.bornNs === undefined || a.bornNs === b.bornNs;
  return a.inode === b.inode && born;
}
