/** The guard of a database file, while an application and other programs write to the file. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { descriptorOf, stampOf } from '../../src/database/continuity/file.ts';
import { FileGuard } from '../../src/database/continuity/guard.ts';
import { isError } from '../../src/error.ts';
import { createKernel } from '../../src/kernel/kernel.ts';
import { systemRandom } from '../../src/random.ts';
import type { LogPlace } from '../../src/wal/frame.ts';
import type { WALHeader } from '../../src/wal/header.ts';
import { WALReader } from '../../src/wal/reader.ts';

const PAGE_SIZE = 4096;
const kernel = createKernel();

/** A database whose log is read like a follower does, but only on demand. */
class Watched {
  readonly folder: string = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-guard-'));
  readonly path: string = path.join(fs.realpathSync(this.folder), 'app.db');
  readonly db: Database.Database;
  /** Whether another process is running a checkpoint. */
  isCheckpointing = false;
  readonly #wal: WALReader;
  #guard: FileGuard | undefined;
  #place: LogPlace = { header: undefined, frame: 0, checksum: { s0: 0, s1: 0 } };
  #now = 0;

  constructor() {
    this.db = new Database(this.path);
    this.db.pragma(`page_size=${PAGE_SIZE}`);
    this.db.pragma('journal_mode=wal');
    this.db.pragma('wal_autocheckpoint=0');
    this.db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a BLOB); CREATE TABLE cold(a BLOB)');
    this.#wal = new WALReader(`${this.path}-wal`, kernel);
    onTestFinished(() => {
      this.#wal.close();
      this.db.close();
      fs.rmSync(this.folder, { recursive: true });
    });
  }

  add(rows: number, table: 't' | 'cold' = 't'): void {
    const insert = this.db.prepare(`INSERT INTO ${table}(a) VALUES(randomblob(3000))`);
    for (let row = 0; row < rows; row++) insert.run();
  }

  checkpoint(mode: 'PASSIVE' | 'RESTART' | 'TRUNCATE'): void {
    this.db.pragma(`wal_checkpoint(${mode})`);
  }

  get header(): WALHeader | undefined {
    return this.#wal.readHeader();
  }

  /** Opens the guard like a start without proof: the first look reads the whole log. */
  open(): void {
    const { checkpointed } = this.#readLogState();
    const descriptor = descriptorOf(this.path);
    this.#guard = new FileGuard({
      configured: this.path,
      path: this.path,
      descriptor,
      pageSize: PAGE_SIZE,
      kernel,
      wal: this.#wal,
      random: systemRandom,
      opened: stampOf(descriptor),
      openedLog: this.header,
      backfilled: checkpointed,
      log: undefined,
      held: 0,
      hasLostIndex: false,
      checkpoint: () => {
        if (this.isCheckpointing) return 'busy';
        this.checkpoint('PASSIVE');
        return 'done';
      },
      readLogState: () => this.#readLogState(),
    });
  }

  /** Looks after `ms`, calls `between`, and checks. */
  look(ms = 500, between?: () => void): void {
    const guard = this.#opened;
    const { log, checkpointed } = this.#readLogState();
    const { header } = this;
    const isSame = header?.salt1 === this.#place.header?.salt1;
    if (log > 0 && header !== undefined) {
      if (!isSame) this.#place = { header, frame: 0, checksum: header.checksum };
      const { frame, checksum } = this.#place;
      for (const batch of this.#wal.readFrames(header, frame + 1, log, checksum)) {
        guard.add(batch);
        this.#place = { header, frame: batch.first + batch.count - 1, checksum: batch.checksum };
      }
    }
    guard.observe({ log, checkpointed });
    between?.();
    this.#now += ms;
    guard.checkWhenDue(this.#now, { log, place: this.#place });
  }

  /** Time since the file was last verified. */
  get verifiedAgeMs(): number {
    return this.#now - this.#opened.verifiedAt;
  }

  causeOf(code: string): unknown {
    return this.#opened.causeOf(new Database.SqliteError('failed', code), this.#now);
  }

  get evidence(): ReturnType<FileGuard['evidence']> {
    return this.#opened.evidence();
  }

  get #opened(): FileGuard {
    if (this.#guard === undefined) throw new Error('call open first');
    return this.#guard;
  }

  #readLogState(): { log: number; checkpointed: number } {
    const [state] = this.db.pragma('wal_checkpoint(NOOP)') as {
      log: number;
      checkpointed: number;
    }[];
    return state ?? { log: 0, checkpointed: 0 };
  }
}

/** Overwrites page `pgno` in another process: closing the file here would drop locks. */
function overwrite(file: string, pgno: number): void {
  const page = path.join(path.dirname(file), 'page');
  fs.writeFileSync(page, Buffer.alloc(PAGE_SIZE, 7));
  const at = ['bs=4096', 'count=1', `seek=${pgno - 1}`, 'conv=notrunc'];
  execFileSync('dd', [`if=${page}`, `of=${file}`, ...at], { stdio: 'ignore' });
}

const replaced = expect.toSatisfy((error: unknown) => isError(error, 'DATABASE_REPLACED'));

describe('checkpoints', () => {
  test('of any mode, between looks or not, are accepted as writes to the file', () => {
    const watched = new Watched();
    watched.add(20);
    watched.open();
    for (const mode of ['PASSIVE', 'RESTART', 'TRUNCATE', 'PASSIVE'] as const) {
      for (let round = 0; round < 3; round++) {
        watched.add(5);
        watched.look();
        watched.checkpoint(mode);
        if (round > 0) watched.look();
        expect(watched.evidence === undefined).toBe(round === 0); // the write is not explained before the next look
      }
      watched.look();
    }
  });

  test('of a log that restarted before the first look, with fewer frames than before, are accepted', () => {
    const watched = new Watched();
    watched.add(300);
    watched.checkpoint('PASSIVE');
    watched.open();
    watched.add(1); // restarts the log
    watched.look();
    for (let commit = 0; commit < 20; commit++) {
      watched.add(2);
      watched.look();
      watched.checkpoint('PASSIVE');
      watched.look();
    }
  });

  test('that take long and end just after a look are accepted at the next look', () => {
    const watched = new Watched();
    watched.add(20);
    watched.open();
    watched.look();
    watched.add(20);
    const write = (): void => fs.utimesSync(watched.path, new Date(), new Date()); // like part of a checkpoint
    write();
    watched.look();
    watched.look(1_500, () => {
      write();
      watched.checkpoint('PASSIVE');
    });
    watched.look();
    expect(watched.evidence).toBeDefined();
  });

  test('that run for long delay the verification of the file by seconds only', () => {
    const watched = new Watched();
    watched.add(20);
    watched.open();
    watched.look();
    watched.add(20);
    watched.isCheckpointing = true;
    for (let looks = 0; looks < 600; looks++) {
      fs.utimesSync(watched.path, new Date(), new Date()); // like part of a checkpoint
      watched.look(100);
      expect(watched.verifiedAgeMs).toBeLessThanOrEqual(2_000);
      expect(watched.evidence).toBeUndefined(); // a start could not tell which frames it has
    }
    watched.isCheckpointing = false;
    watched.checkpoint('PASSIVE');
    watched.look();
    expect(watched.evidence).toBeDefined();
  });

  test('that run for long do not hide a foreign write', () => {
    const watched = new Watched();
    watched.add(50);
    watched.checkpoint('PASSIVE');
    watched.open();
    watched.look();
    watched.add(5);
    watched.isCheckpointing = true;
    fs.utimesSync(watched.path, new Date(), new Date());
    for (let looks = 0; looks < 30; looks++) watched.look(100);
    overwrite(watched.path, 1);
    expect(() => watched.look()).toThrow(replaced);
  });

  test('beside a reader may skip pages with a newer frame', () => {
    const watched = new Watched();
    watched.add(20);
    watched.open();
    watched.look();
    const reader = new Database(watched.path);
    reader.exec('BEGIN');
    reader.prepare('SELECT count(*) FROM t').get();
    watched.add(20);
    watched.look();
    watched.checkpoint('PASSIVE'); // as far as the reader lets it
    watched.look();
    reader.close();
    watched.checkpoint('PASSIVE');
    watched.look();
  });

  test('after VACUUM may truncate pages that come back without a frame', () => {
    const watched = new Watched();
    watched.add(100);
    watched.open();
    watched.look();
    watched.db.exec('DELETE FROM t WHERE id % 3 > 0; VACUUM');
    watched.look();
    watched.checkpoint('TRUNCATE');
    watched.look();
    watched.add(100);
    watched.db.exec('DELETE FROM t WHERE id > 60');
    watched.look();
    watched.checkpoint('TRUNCATE');
    watched.look();
  });
});

describe('a foreign write to the file is detected', () => {
  test('immediately if nothing was left to checkpoint', () => {
    const watched = new Watched();
    watched.add(50);
    watched.checkpoint('PASSIVE');
    watched.open();
    watched.look();
    overwrite(watched.path, 30);
    expect(watched.evidence).toBeUndefined();
    expect(() => watched.look()).toThrow(replaced);
  });

  test('within seconds if a checkpoint could have been running', () => {
    const watched = new Watched();
    watched.add(50);
    watched.checkpoint('PASSIVE');
    watched.open();
    watched.look();
    watched.add(5);
    watched.look();
    overwrite(watched.path, 30);
    watched.look();
    expect(watched.evidence).toBeUndefined();
    expect(() => watched.look(1_500)).toThrow(replaced);
  });

  test('by page 1, although a checkpoint explains the write', () => {
    const watched = new Watched();
    watched.add(50);
    watched.checkpoint('PASSIVE');
    watched.open();
    watched.look();
    overwrite(watched.path, 1);
    watched.db.exec('UPDATE t SET a = randomblob(3000) WHERE id % 9 = 0');
    watched.checkpoint('PASSIVE');
    expect(() => watched.look()).toThrow(replaced);
  });

  test('by pages that are never written, although checkpoints overwrite all the others', () => {
    const watched = new Watched();
    watched.add(100, 'cold');
    watched.add(20);
    watched.checkpoint('TRUNCATE');
    watched.open();
    for (let looks = 0; looks < 60; looks++) watched.look();
    for (let pgno = 10; pgno <= 90; pgno++) overwrite(watched.path, pgno);
    watched.db.exec('UPDATE t SET a = randomblob(3000)');
    watched.checkpoint('PASSIVE');
    expect(() => watched.look()).toThrow(replaced);
  });

  test('by written pages, although size and times of the file are unchanged', () => {
    const watched = new Watched();
    watched.add(20);
    watched.open();
    watched.look();
    watched.add(20);
    watched.look();
    const copy = `${watched.path}-copy`;
    execFileSync('cp', ['-p', watched.path, copy]);
    watched.checkpoint('PASSIVE');
    execFileSync('cp', ['-p', copy, watched.path]); // as if the checkpoint had gone to another file
    expect(() => watched.look()).toThrow(replaced);
  });
});

describe('an error of SQLite', () => {
  test('is explained by a foreign write', () => {
    const watched = new Watched();
    watched.add(50);
    watched.checkpoint('PASSIVE');
    watched.open();
    watched.look();
    expect(watched.causeOf('SQLITE_CORRUPT')).toMatchObject({ code: 'SQLITE_CORRUPT' });
    overwrite(watched.path, 1);
    expect(watched.causeOf('SQLITE_CORRUPT')).toMatchObject({ code: 'DATABASE_REPLACED' });
  });

  test.for(['SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_IOERR_FSYNC', 'SQLITE_BUSY'])(
    'is not explained by our own checkpoint that failed with %s, after the reader had moved',
    (code) => {
      const watched = new Watched();
      watched.add(20);
      watched.checkpoint('PASSIVE');
      watched.open();
      watched.look();
      watched.add(20); // frames of page 1 that the guard does not have
      watched.checkpoint('PASSIVE');
      expect(watched.causeOf(code)).toMatchObject({ code });
      watched.look();
      expect(watched.evidence).toBeDefined();
    },
  );
});

test('chmod does not count as a write', () => {
  const watched = new Watched();
  watched.add(20);
  watched.checkpoint('PASSIVE');
  watched.open();
  watched.look();
  fs.chmodSync(watched.path, 0o600);
  watched.look();
  expect(watched.evidence).toBeDefined();
});
