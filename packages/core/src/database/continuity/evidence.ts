/**
 * Evidence that a database file is the one that was followed, and has not been written to since.
 *
 * In WAL mode only a checkpoint writes to the database file, and it publishes its progress in the
 * wal-index only after that. So a file that has not been written to since all of its log was
 * backfilled is the state after the last frame of that log, whatever log is beside it now.
 *
 *  field       changed by
 *  device      a move to another file system; possibly a remount, without any other change
 *  inode       another file under its name (mv); may be reused once the file is deleted
 *  bornNs      another file with its inode
 *  sizeBytes   a checkpoint that grows or truncates it, most other writers
 *  modifiedNs  a checkpoint, any other writer; can be set back (cp -p, rsync -t, touch)
 *  changedNs   the same, and rename, link, chmod; cannot be set back
 *  firstPage   a checkpoint whose log has a frame of page 1, most other writers
 *
 * The change counter in page 1 is not enough: in WAL mode it changes only in a transaction that
 * changes page 1 for another reason.
 */

import type { BigIntStats } from 'node:fs';

export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
  /** Creation time of the inode; undefined if the file system does not report it. */
  readonly bornNs: bigint | undefined;
}

export interface FileStamp extends FileIdentity {
  readonly sizeBytes: bigint;
  readonly modifiedNs: bigint;
  readonly changedNs: bigint;
}

export interface FileEvidence extends FileStamp {
  /** CRC-64 of page 1 in the file. */
  readonly firstPage: bigint;
}

/** File times come from a kernel clock that advances every 1 to 10 ms. */
const CLOCK_STEP_MS = 20;
/** Some file systems store whole seconds; FAT stores multiples of two. */
const COARSE_STEP_MS = 2_100;

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

export function toFileStamp(stats: BigIntStats): FileStamp {
  const { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs } = stats;
  // Without a stored birth time, the system reports 0 or the time of the last change.
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

/** Whether both are the same inode. Reliable while one of them is open, because its inode is not reused. */
export function isSameFile(a: FileStamp, b: FileStamp): boolean {
  return a.device === b.device && isSameInode(a, b);
}

/** Whether the contents may differ. chmod, chown and link change neither size nor modification time. */
export function isWritten(a: FileStamp, b: FileStamp): boolean {
  return a.sizeBytes !== b.sizeBytes || a.modifiedNs !== b.modifiedNs;
}

/** Whether `now` is the same file as `then`, with nothing changed. */
export function isUntouched(then: FileEvidence, now: FileEvidence): boolean {
  if (isWritten(then, now) || then.changedNs !== now.changedNs) return false;
  return then.firstPage === now.firstPage && isSameIdentity(then, now);
}

/**
 * Whether both are the same inode, of which `then` may have been read in an earlier run. A remount may
 * change the device number; in that case both birth times must be known.
 */
export function isSameIdentity(then: FileIdentity, now: FileIdentity): boolean {
  if (!isSameInode(then, now)) return false;
  return then.device === now.device || (then.bornNs !== undefined && now.bornNs !== undefined);
}

/** Whether any write after `nowMs` is sure to change the times of the file. */
export function isSettled(stamp: FileStamp, nowMs: number): boolean {
  const { modifiedNs, changedNs } = stamp;
  const isCoarse = changedNs % NS_PER_SECOND === 0n && modifiedNs % NS_PER_SECOND === 0n;
  const latestMs = Number((modifiedNs > changedNs ? modifiedNs : changedNs) / NS_PER_MS);
  return Math.abs(nowMs - latestMs) > (isCoarse ? COARSE_STEP_MS : CLOCK_STEP_MS);
}

function isSameInode(a: FileIdentity, b: FileIdentity): boolean {
  const born = a.bornNs === undefined || b.bornNs === undefined || a.bornNs === b.bornNs;
  return a.inode === b.inode && born;
}
