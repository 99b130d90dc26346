/** Detection of a log that belongs to a former database file. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { descriptorOf, readEvidence } from '../../src/database/continuity/file.ts';
import { checkFormerLog } from '../../src/database/continuity/former-log.ts';
import { toPosition, type Position } from '../../src/database/continuity/position.ts';
import { createKernel, type WALChecksumState } from '../../src/kernel/kernel.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import type { WALHeader } from '../../src/wal/header.ts';
import { WALReader, type FrameBatch } from '../../src/wal/reader.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const LONG_AGO = new Date(2020, 0, 1);
const kernel = createKernel();

/** Calls a function just before frames are read. */
class InterruptedReader extends WALReader {
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

/** A database with a log, and the position of a stopped replicator. */
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

function check(file: string, position: Position, before: () => void = () => undefined): void {
  const wal = new InterruptedReader(`${file}-wal`, before);
  onTestFinished(() => wal.close());
  checkFormerLog({ path: file, descriptor: descriptorOf(file), position, wal, kernel });
}

test('a database is refused if its file was replaced and the log belongs to the former file', () => {
  const { file, position } = scene();
  const other = `${file}-other`;
  const next = new Database(other);
  next.exec('CREATE TABLE other(a)');
  next.close();
  fs.utimesSync(`${file}-wal`, LONG_AGO, LONG_AGO);
  execFileSync('cp', [other, file]);
  expect(() => check(file, position)).toThrow(/another database/);
});

test('a database is accepted if an application has checkpointed the log and restarts it meanwhile', () => {
  const { file, app, position } = scene();
  app.pragma('user_version=7'); // a frame of page 1
  app.pragma('wal_checkpoint(PASSIVE)');
  fs.utimesSync(`${file}-wal`, LONG_AGO, LONG_AGO);
  check(file, position); // the log has the frame
  check(file, position, () => app.exec('INSERT INTO t VALUES (1)')); // the log restarts just before it is read
  const now = new WALReader(`${file}-wal`, kernel);
  expect(now.readHeader()?.salt1).not.toBe(position.salt1);
  now.close();
});
