/**
 * Finds out whether the live database is exactly at a TXID, and compares its pages with a restored file.
 *
 * The position in the staging folder says where TXID n ends in the log (database/continuity/position.ts).
 * The database is in that state if and only if
 *
 *  with a log     inside a read transaction of ours, the log has the salts of the position, its frame has
 *                 the cumulative checksum of the position, and no frame of that log follows. Then pages
 *                 are read as SQLite sees them: from the log, else from the file.
 *  without a log  the position is at rest, and the file is untouched since, before and after the reads.
 *                 SQLite is not involved: a connection would leave a log beside a database that is closed.
 *
 * After further commits the database has moved on. With a log, most pages can still be compared, if TXID n
 * ends at a frame of this log, according to a position that was read earlier: the newest frame of a page up
 * to that frame is its version at TXID n, and a page without any frame has the same version in the file as
 * before this log. A page that only later frames have is skipped, because a checkpoint may have put it into
 * the file.
 *
 * In all other cases nothing is known about the state, and nothing is compared.
 *
 * Not for a process that replicates this database, or uses it in another way: see examine.ts.
 */

import Database from 'better-sqlite3';
import fs from 'node:fs';
import path from 'node:path';
import { isSameFile, isUntouched } from '../database/continuity/evidence.ts';
import { checkFormerLog } from '../database/continuity/former-log.ts';
import { descriptorOf, readEvidence, readStamp } from '../database/continuity/file.ts';
import { parsePosition, type Position } from '../database/continuity/position.ts';
import { createCurrentPageReader } from '../database/current-pages.ts';
import { isError, messageOf } from '../error.ts';
import { readFullySync } from '../file-io.ts';
import { readText, systemFiles } from '../file-system.ts';
import { createKernel, type Kernel } from '../kernel/kernel.ts';
import type { LogPlace } from '../wal/frame.ts';
import type { WALHeader } from '../wal/header.ts';
import { WALReader } from '../wal/reader.ts';
import { comparePages, type ReadLivePage, type RestoredFile } from './compare.ts';
import { isSameState, type Comparison } from './verdict.ts';

export interface LiveRequest {
  readonly path: string;
  readonly metaPath: string;
  /** Positions that were read earlier. */
  readonly positions: readonly Position[];
  /** Compared if the live database is in the same state. */
  readonly restored: RestoredFile;
}

export type LiveState =
  | {
      readonly kind: 'at';
      readonly txid: bigint;
      readonly lineage: bigint;
      /** With this state, or with an earlier one of this log. */
      readonly comparison: Comparison | undefined;
    }
  /** `comparison`: with an earlier state of this log. */
  | { readonly kind: 'moved on'; readonly comparison: Comparison | undefined }
  | { readonly kind: 'unknown'; readonly why: string };

/** An application may be recovering the log, or closing the database. */
const BUSY_MS_MAX = 1_000;

const MOVED_ON: LiveState = { kind: 'moved on', comparison: undefined };

interface Live {
  readonly path: string;
  readonly descriptor: number;
  readonly position: Position;
  /** Others, read earlier. */
  readonly positions: readonly Position[];
  readonly kernel: Kernel;
  readonly restored: RestoredFile;
}

export async function examineLive(request: LiveRequest): Promise<LiveState> {
  const { metaPath, restored, positions } = request;
  if (!fs.existsSync(request.path)) return unknown('the live database does not exist');
  try {
    const position = await readPosition(metaPath);
    if (position === undefined) {
      return unknown(
        `no replicator has recorded in ${metaPath} which TXID the live database is at`,
      );
    }
    const file = fs.realpathSync.native(request.path);
    const descriptor = descriptorOf(file);
    const kernel = createKernel();
    const live = { path: file, descriptor, position, positions, kernel, restored };
    return hasLog(file) ? examineWithLog(live) : examineAtRest(live);
  } catch (error) {
    const why = isError(error, 'DATABASE_REPLACED') ? '' : `read ${request.path}: `;
    return unknown(`${why}${messageOf(error)}`);
  }
}

/** The position that a replicator has recorded; undefined if there is none. */
export async function readPosition(metaPath: string): Promise<Position | undefined> {
  const text = await readText(systemFiles, path.join(metaPath, 'position'));
  return text === undefined ? undefined : parsePosition(text);
}

function unknown(why: string): LiveState {
  return { kind: 'unknown', why };
}

function hasLog(file: string): boolean {
  return (fs.statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function examineAtRest(live: Live): LiveState {
  const { path: file, descriptor, position, kernel } = live;
  const before = readEvidence(descriptor, kernel);
  const known = position.file;
  if (before === undefined || known === undefined || !position.atRest) return MOVED_ON;
  if (!isUntouched(known, before)) return MOVED_ON;
  const { pageSize } = position;
  const state = compare(live, (pgno, page) => {
    readFullySync(descriptor, page, (pgno - 1) * pageSize);
    return 'read';
  });
  const after = readEvidence(descriptor, kernel);
  const named = readStamp(file);
  const isStill = after !== undefined && isUntouched(before, after) && !hasLog(file);
  return isStill && named !== undefined && isSameFile(named, after) ? state : MOVED_ON;
}

function examineWithLog(live: Live): LiveState {
  const { path: file, descriptor, position, kernel } = live;
  const wal = new WALReader(`${file}-wal`, kernel);
  let connection: Database.Database | undefined;
  try {
    checkFormerLog({ path: file, descriptor, position, wal, kernel });
    wal.close(); // until a connection of ours has the log open, SQLite may delete and recreate it
    // Read-only: if it is the last connection, it leaves the log as it is.
    connection = new Database(file, { readonly: true, fileMustExist: true, timeout: BUSY_MS_MAX });
    connection.exec('BEGIN');
    connection.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get();
    const named = readStamp(file);
    const isFollowed = position.file === undefined || (named && isSameFile(position.file, named));
    if (isFollowed !== true) return MOVED_ON;
    const place = findPlace(wal, position);
    const isAtEnd = place !== undefined && isEnd(wal, place);
    if (!isAtEnd) return { kind: 'moved on', comparison: compareEarlier(live, wal) };
    const { txid, lineage, pageSize } = position;
    if (!isSameState(position, live.restored)) {
      return { kind: 'at', txid, lineage, comparison: compareEarlier(live, wal) };
    }
    const readFile = (into: Uint8Array, at: number): number => readFullySync(descriptor, into, at);
    const readPage = createCurrentPageReader({ pageSize, readFile }, wal, place);
    return compare(live, (pgno, page) => {
      page.set(readPage(pgno));
      return 'read';
    });
  } finally {
    connection?.close();
    wal.close();
  }
}

interface Place extends LogPlace {
  readonly header: WALHeader;
}

/** The place of a position in the current log, if it has one. Call inside a read transaction. */
function findPlace(wal: WALReader, position: Position): Place | undefined {
  const { frame: number, salt1, salt2, checksum } = position;
  const header = wal.readHeader();
  if (header?.salt1 !== salt1 || header.salt2 !== salt2) return undefined;
  const last = number === 0 ? header : wal.readFrameHeader(number, header);
  if (last?.salt1 !== salt1 || last.salt2 !== salt2) return undefined;
  if (last.checksum.s0 !== checksum.s0 || last.checksum.s1 !== checksum.s1) return undefined;
  return { header, frame: number, checksum };
}

/** A frame of a transaction that is not committed counts too: then less is compared. */
function isEnd(wal: WALReader, { header, frame }: Place): boolean {
  return frameOf(wal, header, frame + 1) === undefined;
}

/** The page that frame `number` of this log has; undefined after its end. */
function frameOf(wal: WALReader, header: WALHeader, number: number): number | undefined {
  const frame = wal.readFrameHeader(number, header);
  const isOfLog = frame?.salt1 === header.salt1 && frame.salt2 === header.salt2;
  return isOfLog ? frame.pgno : undefined;
}

function compareEarlier(live: Live, wal: WALReader): Comparison | undefined {
  const { positions, restored, descriptor } = live;
  const position = positions.find((each) => isSameState(each, restored));
  const place = position && findPlace(wal, position);
  if (position === undefined || place === undefined) return undefined;
  const { header } = place;
  const newest = new Map<number, number>();
  const changed = new Set<number>();
  for (let number = 1; ; number += 1) {
    const pgno = frameOf(wal, header, number);
    if (pgno === undefined) break;
    if (number <= place.frame) newest.set(pgno, number);
    else if (!newest.has(pgno)) changed.add(pgno);
  }
  return comparePages(restored, position, (pgno, page) => {
    const frame = newest.get(pgno);
    if (frame !== undefined) return wal.readPage(frame, header, page) ? 'read' : 'changed';
    if (changed.has(pgno)) return 'changed';
    readFullySync(descriptor, page, (pgno - 1) * position.pageSize);
    return 'read';
  });
}

function compare(live: Live, readPage: ReadLivePage): LiveState {
  const { position, restored } = live;
  const { txid, lineage } = position;
  const comparison = isSameState(position, restored)
    ? comparePages(restored, position, readPage)
    : undefined;
  return { kind: 'at', txid, lineage, comparison };
}
