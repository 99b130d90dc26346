/** A log beside a file that is not the one that it was followed with: whose is it? */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { descriptorOf, readEvidence } from '../../src/database/continuity/file.ts';
import { refuseFormerLog } from '../../src/database/continuity/former-log.ts';
import { toPosition, type Position } from '../../src/database/continuity/position.ts';
import { createKernel, type WALChecksumState } from '../../src/kernel/kernel.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import type { WALHeader } from '../../src/wal/header.ts';
import { WALReader, type FrameBatch } from '../../src/wal/reader.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const LONG_AGO = new Date(2020, 0, 1);
const kernel = createKernel();

/** Something happens just before its frames are read. */
class DisturbedReader extends WALReader {
  readonly #before: () => void;

  constructor(file: string, before: () => void) {
    super(file, kernel);
    this.#before = before;
  }

  override *readFrames(
    header: WALHeader,
    from: number,
    to: number,
    checksum: WALChecksumState,
  ): Generator<FrameBatch, void> {
    this.#before();
    yield* super.readFrames(header, from, to, checksum);
  }
}

/** A database with a log, and the position of a replicator that is away. */
function scene(): { file: string; app: Database.Database; position: Position } {
  const file = path.join(fs.realpathSync(temporaryFolder()), 'app.db');
  const app = new Database(file);
  onTestFinished(() => void app.close());
  app.pragma('journal_mode=wal');
  app.pragma('wal_autocheckpoint=0');
  app.exec('CREATE TABLE t(a)');
  const reader = new WALReader(`${file}-wal`, kernel);
  onTestFinished(() => reader.close());
  const header = reader.readHeader();
  const frame = reader.readFrameHeader(1, header as WALHeader);
  const evidence = readEvidence(descriptorOf(file), kernel);
  if (header === undefined || frame === undefined) throw new Error('there is no log');
  const place = { header, frame: 1, checksum: frame.checksum };
  const staged = { txid: toTXID(1n), pageSize: 4096, commit: 2, lineage: 1n };
  return { file, app, position: toPosition(staged, place, { file: evidence, atRest: false }) };
}

function refuse(file: string, position: Position, before: () => void = () => undefined): void {
  const wal = new DisturbedReader(`${file}-wal`, before);
  onTestFinished(() => wal.close());
  refuseFormerLog({ path: file, descriptor: descriptorOf(file), position, wal, kernel });
}

test('is refused where another file was put in the place of the one that it belongs to', () => {
  const { file, position } = scene();
  const other = `${file}-other`;
  const next = new Database(other);
  next.exec('CREATE TABLE other(a)');
  next.close();
  fs.utimesSync(`${file}-wal`, LONG_AGO, LONG_AGO);
  execFileSync('cp', [other, file]);
  expect(() => refuse(file, position)).toThrow(/another database/);
});

test('is not refused where an application has checkpointed it, and restarts it meanwhile', () => {
  const { file, app, position } = scene();
  app.pragma('user_version=7'); // a frame of page 1
  app.pragma('wal_checkpoint(PASSIVE)');
  fs.utimesSync(`${file}-wal`, LONG_AGO, LONG_AGO);
  refuse(file, position); // it has the frame
  refuse(file, position, () => app.exec('INSERT INTO t VALUES (1)')); // it had it a moment ago
  const now = new WALReader(`${file}-wal`, kernel);
  expect(now.readHeader()?.salt1).not.toBe(position.salt1);
  now.close();
});
