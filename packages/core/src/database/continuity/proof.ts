/**
 * Whether nothing is missing between the newest staged file and what SQLite has at a start, decided
 * from evidence alone. In any doubt it is not proved, and a full snapshot is taken.
 *
 * The position is that of the newest staged file, and the database file is the one that it was
 * written for and has not been written since: nothing has been backfilled. Then
 *
 * - where the last replicated frame lies in the log as it did, what follows it in the log is new;
 * - where all of the log was backfilled at that time (the position is "at rest"), a log that has
 *   begun anew has begun once, because it can begin again only after it was backfilled. So all of it
 *   is new. Without a log nothing is new.
 *
 * What is new is then read, while a reader of ours is inside a transaction. It counts only if the
 * log is still the same one afterwards, and if pages that were left in it cannot be lost: the log
 * cannot begin anew while frames of it are not backfilled and our reader stands still.
 */

import type { TXID } from '../../ltx/txid.ts';
import type { FrameHeader } from '../../wal/frame.ts';
import { isSameLog, type WALHeader } from '../../wal/header.ts';
import type { LogPlace } from '../../wal/frame.ts';
import { isSameFile, isUntouched, type FileEvidence } from './evidence.ts';
import type { Position } from './position.ts';

/** What a start has found, once the first reader has begun. */
export interface StartEvidence {
  readonly position: Position | undefined;
  readonly newestStaged: TXID | undefined;
  readonly pageSize: number;
  /** undefined while somebody writes to it. */
  readonly file: FileEvidence | undefined;
  readonly header: WALHeader | undefined;
  /** Committed frames, as SQLite says. */
  readonly log: number;
  /** The frame at the position's number, as it lies there now. */
  readonly frame: FrameHeader | undefined;
}

/** `from`: what lies in the log beyond this place is new. */
export type Continuity =
  | { readonly proved: true; readonly position: Position; readonly from: LogPlace }
  | { readonly proved: false; readonly why: string };

export const NOWHERE: LogPlace = { header: undefined, frame: 0, checksum: { s0: 0, s1: 0 } };

export function proveContinuity(evidence: StartEvidence): Continuity {
  const { position, file } = evidence;
  if (position === undefined) return no('there is no position of an earlier run');
  if (position.txid !== evidence.newestStaged) {
    return no('the saved position does not match the newest staged file');
  }
  const known = position.file;
  if (known === undefined) return no('the saved position does not identify the database file');
  if (file === undefined) return no('the database file is being written to');
  if (position.pageSize !== evidence.pageSize) return no('the page size has changed');
  const from = findPlace(evidence, position);
  if (isUntouched(known, file)) {
    return typeof from === 'string' ? no(from) : { proved: true, position, from };
  }
  if (!isSameFile(known, file)) return no('the database file was replaced by another one');
  return no(typeof from === 'string' ? from : 'the database file was written to since then');
}

/** From where the log is new, or why that cannot be told. */
function findPlace(evidence: StartEvidence, position: Position): LogPlace | string {
  const { header, log, frame } = evidence;
  const { salt1, salt2, checksum } = position;
  const isThatLog = header?.salt1 === salt1 && header.salt2 === salt2;
  if (position.atRest) {
    if (log === 0) return NOWHERE;
    if (header !== undefined && !isThatLog) return { header, frame: 0, checksum: header.checksum };
  }
  if (header === undefined) return 'the WAL is missing or empty';
  if (position.frame === 0) return 'the WAL was empty when the last file was made';
  if (!isThatLog) return 'the WAL has restarted since then';
  if (log < position.frame) return 'the WAL is shorter than the part already replicated';
  if (frame === undefined || frame.salt1 !== salt1 || frame.salt2 !== salt2) {
    return 'the last replicated frame is no longer in the WAL';
  }
  if (frame.checksum.s0 !== checksum.s0 || frame.checksum.s1 !== checksum.s1) {
    return 'the last replicated frame was overwritten';
  }
  return { header, frame: position.frame, checksum };
}

/** What has come of reading the log from the proved place to its end. */
export interface ReadEvidence {
  /** Committed frames when reading began. */
  readonly log: number;
  /** Up to which frame they were read, and verified. */
  readonly read: number;
  readonly headerBefore: WALHeader | undefined;
  readonly headerAfter: WALHeader | undefined;
  /** Whether pages are held by the number of their frame only. */
  readonly spilled: boolean;
  /** Frames that are committed, and backfilled, now that it is read. */
  readonly logAfter: number;
  readonly checkpointedAfter: number;
}

/** Why what was read does not count; undefined where it does. */
export function doubtReading(evidence: ReadEvidence): string | undefined {
  if (evidence.read !== evidence.log) return 'the WAL could not be read completely';
  if (!isSameLog(evidence.headerBefore, evidence.headerAfter)) {
    return 'the WAL restarted while it was read';
  }
  if (evidence.spilled && evidence.checkpointedAfter >= evidence.logAfter) {
    return 'the new part of the WAL is too large for memory, and the WAL may restart before it is staged';
  }
  return undefined;
}

function no(why: string): Continuity {
  return { proved: false, why };
}
