/**
 * Detects a database file that was replaced while the log of the former file is still beside it.
 * SQLite does not notice: the first connection recovers that log into the new file and corrupts it.
 * Sluice must not be that connection. The check is sound, because page 1 of the database that the log
 * belongs to is either page 1 of the position or a page 1 in the log.
 */

import fs from 'node:fs';
import { ReplicationError } from '../../error.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { FrameHeader } from '../../wal/frame.ts';
import { frameSizeBytes, WAL_HEADER_SIZE_BYTES, type WALHeader } from '../../wal/header.ts';
import type { WALReader } from '../../wal/reader.ts';
import { isUntouched, type FileEvidence } from './evidence.ts';
import { readEvidence } from './file.ts';
import type { Position } from './position.ts';

export interface FormerLogInput {
  /** The real path of the database. */
  readonly path: string;
  readonly descriptor: number;
  readonly position: Position | undefined;
  readonly wal: WALReader;
  readonly kernel: Kernel;
}

export interface FormerLogEvidence {
  readonly position: Position;
  readonly known: FileEvidence;
  readonly file: FileEvidence;
  readonly header: WALHeader;
  /** The frame at the position's number. */
  readonly frame: FrameHeader | undefined;
  readonly logModifiedNs: bigint;
}

/** Throws DATABASE_REPLACED if opening would mix two databases. Call before opening a connection. */
export function checkFormerLog(input: FormerLogInput): void {
  const { path, descriptor, position, wal, kernel } = input;
  const known = position?.file;
  const header = wal.readHeader();
  if (position === undefined || known === undefined || header === undefined) return;
  const file = readEvidence(descriptor, kernel);
  const log = fs.statSync(`${path}-wal`, { bigint: true, throwIfNoEntry: false });
  if (file === undefined || log === undefined) return;
  const frame = wal.readFrameHeader(position.frame, header);
  const evidence = { position, known, file, header, frame, logModifiedNs: log.mtimeNs };
  if (!isLogOfFormerFile(evidence) || hasFirstPage(input, header, file.firstPage)) return;
  if (isWrittenSince(path, log)) return; // an application has both open and may have restarted the log
  throw new ReplicationError(
    'DATABASE_REPLACED',
    `open ${path}: ${path}-wal belongs to another database, and SQLite would mix the two, so Sluice does not open it. ` +
      `To keep ${path}, stop the application and delete ${path}-wal and ${path}-shm ` +
      '(docs/runbook.md, "Replace a database")',
  );
}

/**
 * Whether the log is the one that was followed, but the file beside it is a different one. False if
 * the log was written to after the file: then the two are already mixed.
 */
export function isLogOfFormerFile(evidence: FormerLogEvidence): boolean {
  const { position, known, file, header, frame, logModifiedNs } = evidence;
  const { salt1, salt2, checksum } = position;
  if (header.salt1 !== salt1 || header.salt2 !== salt2 || frame === undefined) return false;
  if (frame.checksum.s0 !== checksum.s0 || frame.checksum.s1 !== checksum.s1) return false;
  if (isUntouched(known, file) || known.firstPage === file.firstPage) return false;
  return logModifiedNs < file.changedNs;
}

function isWrittenSince(path: string, log: fs.BigIntStats): boolean {
  const now = fs.statSync(`${path}-wal`, { bigint: true, throwIfNoEntry: false });
  return now?.mtimeNs !== log.mtimeNs || now.size !== log.size;
}

/** Whether a frame of the log has a page 1 with this hash. */
function hasFirstPage({ wal, kernel }: FormerLogInput, header: WALHeader, hash: bigint): boolean {
  const size = wal.sizeBytes() - WAL_HEADER_SIZE_BYTES;
  const frames = Math.floor(size / frameSizeBytes(header.pageSize));
  for (const batch of wal.readFrames(header, 1, frames, header.checksum)) {
    for (let index = 0; index < batch.count; index++) {
      if (batch.pgnos[index] === 1 && kernel.crc64(batch.page(index)) === hash) return true;
    }
  }
  return false;
}
