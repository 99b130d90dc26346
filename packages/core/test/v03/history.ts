/** Databases with their WALs, cut into segments as Litestream 0.3 cuts them. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { temporaryFolder } from '../restore/temporary.ts';
import type { Random } from '../support/random.ts';
import { frame, OldBucket, segmentKey, snapshotKey } from './bucket.ts';

const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** The state after an object. */
export interface Step {
  readonly key: string;
  readonly atMs: number;
  /** The bytes that SQLite's checkpoint makes of the log up to here. */
  readonly expected: Buffer;
}

/** A bucket of `wals` WALs with random transactions: some large, some that shrink the database. */
export function randomHistory(
  random: Random,
  pageSize: number,
  wals: number,
): { readonly bucket: OldBucket; readonly steps: readonly Step[] } {
  const folder = temporaryFolder();
  const file = path.join(folder, 'app.db');
  const database = new Database(file);
  database.pragma(`page_size = ${pageSize}`);
  database.pragma('auto_vacuum = FULL');
  database.pragma('journal_mode = wal');
  database.pragma('wal_autocheckpoint = 0');
  database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)');
  database.pragma('wal_checkpoint(TRUNCATE)');
  const bucket = new OldBucket();
  const steps: Step[] = [];
  let clock = 0;
  const put = (key: string, content: Buffer, expected: Buffer): void => {
    clock += 1_000;
    bucket.put(key, frame(content), clock);
    steps.push({ key, atMs: clock, expected });
  };
  for (let index = 0; index < wals; index++) {
    const base = fs.readFileSync(file);
    if (index === 0) put(snapshotKey(0), base, base);
    commitSome(database, random);
    const wal = fs.readFileSync(`${file}-wal`);
    let from = 0;
    for (const end of cutsOf(wal, pageSize, random)) {
      put(
        segmentKey(index, from),
        wal.subarray(from, end),
        checkpointed(base, wal.subarray(0, end)),
      );
      from = end;
    }
    database.pragma('wal_checkpoint(TRUNCATE)');
  }
  database.close();
  return { bucket, steps };
}

function commitSome(database: Database.Database, random: Random): void {
  const insert = database.prepare('INSERT INTO t (data) VALUES (?)');
  for (let transaction = random.int(1, 4); transaction > 0; transaction--) {
    database.exec('BEGIN');
    for (let row = random.int(1, 12); row > 0; row--) {
      insert.run(Buffer.alloc(random.int(10, 4_000), random.int(0, 255)));
    }
    if (random.chance(0.5))
      database.prepare('DELETE FROM t WHERE id % 3 = ?').run(random.int(0, 2));
    database.exec('COMMIT');
  }
}

/** Ends of segments: any frames, so that some cut a transaction. The last one is the end of the log. */
function cutsOf(wal: Buffer, pageSize: number, random: Random): number[] {
  const frameBytes = FRAME_HEADER_BYTES + pageSize;
  const cuts: number[] = [];
  for (
    let end = WAL_HEADER_BYTES;
    end < wal.length;
    end += random.int(1, Math.max(2, 24_576 / pageSize)) * frameBytes
  ) {
    cuts.push(end);
  }
  return [...cuts, wal.length];
}

/** What SQLite makes of a database file and a log. */
export function checkpointed(base: Buffer, wal: Buffer): Buffer {
  const file = path.join(temporaryFolder(), 'copy.db');
  fs.writeFileSync(file, base);
  fs.writeFileSync(`${file}-wal`, wal);
  const database = new Database(file);
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
  return fs.readFileSync(file);
}
