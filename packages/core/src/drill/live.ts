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
import { WALReader } from '../wal/reader.ts';
import { comparePages, type RestoredFile } from './compare.ts';
import { isSameState, type Comparison } from './verdict.ts';

export interface LiveRequest {
  readonly path: string;
  readonly metaPath: string;
  /** Compared if the live database is in the same state. */
  readonly restored: RestoredFile;
}

export type LiveState =
  | {
      readonly kind: 'at';
      readonly txid: bigint;
      readonly lineage: bigint;
      /** undefined if the restored state is another one. */
      readonly comparison: Comparison | undefined;
    }
  | { readonly kind: 'unknown'; readonly why: string };

/** An application may be recovering the log, or closing the database. */
const BUSY_MS_MAX = 1_000;

const MOVED_ON: LiveState = { kind: 'unknown', why: 'the live database has moved on' };

interface Live {
  readonly path: string;
  readonly descriptor: number;
  readonly position: Position;
  readonly kernel: Kernel;
  readonly restored: RestoredFile;
}

export async function examineLive(request: LiveRequest): Promise<LiveState> {
  const { metaPath, restored } = request;
  if (!fs.existsSync(request.path)) return unknown('the live database does not exist');
  try {
    const text = await readText(systemFiles, path.join(metaPath, 'position'));
    const position = text === undefined ? undefined : parsePosition(text);
    if (position === undefined) {
      return unknown(
        `no replicator has recorded in ${metaPath} which TXID the live database is at`,
      );
    }
    const file = fs.realpathSync.native(request.path);
    const descriptor = descriptorOf(file);
    const live = { path: file, descriptor, position, kernel: createKernel(), restored };
    return hasLog(file) ? examineWithLog(live) : examineAtRest(live);
  } catch (error) {
    const why = isError(error, 'DATABASE_REPLACED') ? '' : `read ${request.path}: `;
    return unknown(`${why}${messageOf(error)}`);
  }
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
  const state = compare(live, (page, offset) => void readFullySync(descriptor, page, offset));
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
    const place = findPlace(wal, position);
    const named = readStamp(file);
    const isFollowed = position.file === undefined || (named && isSameFile(position.file, named));
    if (place === undefined || isFollowed !== true) return MOVED_ON;
    const readFile = (into: Uint8Array, at: number): number => readFullySync(descriptor, into, at);
    const { pageSize } = position;
    const readPage = createCurrentPageReader({ pageSize, readFile }, wal, place);
    return compare(live, (page, offset) => page.set(readPage(offset / pageSize + 1)));
  } finally {
    connection?.close();
    wal.close();
  }
}

/** The end of the log, if it is that of the position. Call inside a read transaction. */
function findPlace(wal: WALReader, position: Position): LogPlace | undefined {
  const { frame: number, salt1, salt2, checksum } = position;
  const header = wal.readHeader();
  if (header?.salt1 !== salt1 || header.salt2 !== salt2) return undefined;
  const last = number === 0 ? header : wal.readFrameHeader(number, header);
  if (last?.salt1 !== salt1 || last.salt2 !== salt2) return undefined;
  if (last.checksum.s0 !== checksum.s0 || last.checksum.s1 !== checksum.s1) return undefined;
  // A frame of a transaction that is not committed counts too: nothing is lost by not comparing.
  const next = wal.readFrameHeader(number + 1, header);
  const isLast = next === undefined || next.salt1 !== salt1 || next.salt2 !== salt2;
  return isLast ? { header, frame: number, checksum } : undefined;
}

function compare(live: Live, readPage: (page: Uint8Array, offset: number) => void): LiveState {
  const { position, restored } = live;
  const { txid, lineage } = position;
  const comparison = isSameState(position, restored)
    ? comparePages(restored, position, readPage)
    : undefined;
  return { kind: 'at', txid, lineage, comparison };
}
