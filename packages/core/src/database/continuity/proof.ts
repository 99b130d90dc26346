/**
 * Decides at startup, from evidence alone, whether anything is missing between the newest staged file
 * and the current state of the database. If this is not certain, a full snapshot is taken.
 *
 * The proof requires that the position belongs to the newest staged file, and that the database file
 * is the same one and has not been written to since, so nothing has been backfilled. Then
 *
 * - if the last replicated frame is unchanged in the log, everything after it is new;
 * - if the whole log was backfilled at that time (the position is "at rest"), a log that has restarted
 *   has restarted exactly once, because it can restart again only after a backfill. So all of the log
 *   is new. Without a log nothing is new.
 *
 * The new frames are then read while one of our readers is inside a transaction. They count only if
 * the log is still the same afterwards, and if pages left in the log cannot be lost: the log cannot
 * restart while some of its frames are not backfilled and our reader does not move.
 */

import type { TXID } from '../../ltx/txid.ts';
import type { FrameHeader } from '../../wal/frame.ts';
import { isSameLog, type WALHeader } from '../../wal/header.ts';
import type { LogPlace } from '../../wal/frame.ts';
import { isSameFile, isUntouched, type FileEvidence } from './evidence.ts';
import type { Position } from './position.ts';

/** Evidence gathered at startup, after the first read transaction began. */
export interface StartEvidence {
  readonly position: Position | undefined;
  readonly newestStaged: TXID | undefined;
  readonly pageSize: number;
  /** undefined while the file is being written to. */
  readonly file: FileEvidence | undefined;
  readonly header: WALHeader | undefined;
  /** Number of committed frames, from SQLite. */
  readonly log: number;
  /** The frame that is now at the position's frame number. */
  readonly frame: FrameHeader | undefined;
}

/** `from`: everything in the log after this place is new. */
export type Continuity =
  | { readonly proved: true; readonly position: Position; readonly from: LogPlace }
  | { readonly proved: false; readonly why: string };

/** The place in a database without a log. */
export const NO_LOG: LogPlace = { header: undefined, frame: 0, checksum: { s0: 0, s1: 0 } };

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
  return no(
    typeof from === 'string' ? from : 'the database file was written to since Sluice last read it',
  );
}

/** The place after which the log is new, or the reason why there is no such place. */
function findPlace(evidence: StartEvidence, position: Position): LogPlace | string {
  const { header, log, frame } = evidence;
  const { salt1, salt2, checksum } = position;
  const isThatLog = header?.salt1 === salt1 && header.salt2 === salt2;
  if (position.atRest) {
    if (log === 0) return NO_LOG;
    if (header !== undefined && !isThatLog) return { header, frame: 0, checksum: header.checksum };
  }
  if (header === undefined) return 'the WAL is missing or empty';
  if (position.frame === 0) return 'the WAL was empty when the last file was made';
  if (!isThatLog) return 'the WAL has restarted since Sluice last read it';
  if (log < position.frame) return 'the WAL is shorter than the part already replicated';
  if (frame === undefined || frame.salt1 !== salt1 || frame.salt2 !== salt2) {
    return 'the last replicated frame is no longer in the WAL';
  }
  if (frame.checksum.s0 !== checksum.s0 || frame.checksum.s1 !== checksum.s1) {
    return 'the last replicated frame was overwritten';
  }
  return { header, frame: position.frame, checksum };
}

/** Result of reading the log from the proved place to its end. */
export interface ReadEvidence {
  /** Committed frames when reading began. */
  readonly log: number;
  /** Number of the last frame read and verified. */
  readonly read: number;
  readonly headerBefore: WALHeader | undefined;
  readonly headerAfter: WALHeader | undefined;
  /** Whether some pages are held by frame number only. */
  readonly isSpilled: boolean;
  /** Committed and backfilled frames after reading. */
  readonly logAfter: number;
  readonly checkpointedAfter: number;
}

/** The reason why the read frames do not count; undefined if they do. */
export function findReadFault(evidence: ReadEvidence): string | undefined {
  if (evidence.read !== evidence.log) return 'the WAL could not be read completely';
  if (!isSameLog(evidence.headerBefore, evidence.headerAfter)) {
    return 'the WAL restarted while it was read';
  }
  if (evidence.isSpilled && evidence.checkpointedAfter >= evidence.logAfter) {
    return 'the new part of the WAL is too large for memory, and the WAL may restart before it is staged';
  }
  return undefined;
}

function no(why: string): Continuity {
  return { proved: false, why };
}
