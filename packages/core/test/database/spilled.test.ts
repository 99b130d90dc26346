/** Pages held by frame number are read only while the frames are unchanged. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { encodeCut, type Cut } from '../../src/database/cut/cut.ts';
import { Tail } from '../../src/database/cut/tail.ts';
import { isError } from '../../src/error.ts';
import { createKernel } from '../../src/kernel/kernel.ts';
import { LTXDecoder } from '../../src/ltx/decoder.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import type { WALHeader } from '../../src/wal/header.ts';
import { WALReader } from '../../src/wal/reader.ts';

const PAGE_SIZE = 4096;
const kernel = createKernel();

class Log {
  readonly wal: WALReader;
  readonly #path: string;
  readonly #db: Database.Database;

  constructor() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-spilled-'));
    this.#path = path.join(folder, 'app.db');
    this.#db = new Database(this.#path);
    this.#db.pragma(`page_size=${PAGE_SIZE}`);
    this.#db.pragma('journal_mode=wal');
    this.#db.pragma('wal_autocheckpoint=0');
    this.#db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a BLOB)');
    this.wal = new WALReader(`${this.#path}-wal`, kernel);
    onTestFinished(() => {
      this.wal.close();
      this.#db.close();
      fs.rmSync(folder, { recursive: true });
    });
  }

  get header(): WALHeader {
    const header = this.wal.readHeader();
    if (header === undefined) throw new Error('the log has a header');
    return header;
  }

  add(rows: number): void {
    const insert = this.#db.prepare('INSERT INTO t(a) VALUES(randomblob(3000))');
    this.#db.transaction(() => {
      for (let i = 0; i < rows; i++) insert.run();
    })();
  }

  restart(): void {
    this.#db.pragma('wal_checkpoint(RESTART)');
  }

  get frames(): number {
    const [state] = this.#db.pragma('wal_checkpoint(NOOP)') as { log: number }[];
    return state?.log ?? 0;
  }

  /** All frames, in a tail that keeps at most `bytesMax` in memory. */
  tail(bytesMax: number): Tail {
    const tail = new Tail();
    const { header } = this;
    for (const batch of this.wal.readFrames(header, 1, this.frames, header.checksum)) {
      tail.add(batch, bytesMax);
    }
    return tail;
  }

  /** Flips a bit in the page of frame `number`. */
  damage(number: number): void {
    const fd = fs.openSync(`${this.#path}-wal`, 'r+');
    const at = 32 + (number - 1) * (PAGE_SIZE + 24) + 24 + 100;
    const byte = Buffer.alloc(1);
    fs.readSync(fd, byte, 0, 1, at);
    fs.writeSync(fd, Buffer.of((byte[0] ?? 0) ^ 1), 0, 1, at);
    fs.closeSync(fd);
  }

  bytes(): Uint8Array {
    return this.#db.serialize();
  }
}

function cutOf(tail: Tail, log: Log): Cut {
  return {
    txid: toTXID(7),
    pageSize: PAGE_SIZE,
    commit: tail.commit,
    timestampMs: 0,
    since: 0,
    asOf: 0,
    tail,
    grown: new Map(),
    place: { header: log.header, frame: log.frames, checksum: { s0: 0, s1: 0 } },
    lineage: 1n,
  };
}

function encode(cut: Cut, log: Log): Map<number, Uint8Array> {
  const decoder = new LTXDecoder(kernel);
  const pages = new Map<number, Uint8Array>();
  const chunks = [...encodeCut(cut, kernel, 'block', log.wal, () => undefined)];
  for (const batch of decoder.push(Buffer.concat(chunks))) {
    for (const [index, pgno] of batch.pgnos.entries()) {
      pages.set(pgno, batch.pages.slice(index * PAGE_SIZE, (index + 1) * PAGE_SIZE));
    }
  }
  decoder.finish();
  return pages;
}

const isWALInvalid = expect.toSatisfy((error: unknown) => isError(error, 'WAL_INVALID'));

test('pages read from the log by frame number equal those of the database', () => {
  const log = new Log();
  log.add(500);
  const tail = log.tail(64 * 1024);
  expect(tail.isSpilled).toBe(true);
  const pages = encode(cutOf(tail, log), log);
  const database = log.bytes();
  for (const [pgno, page] of pages) {
    const there = database.subarray((pgno - 1) * PAGE_SIZE, pgno * PAGE_SIZE);
    expect(Buffer.compare(page, there), `page ${pgno}`).toBe(0);
  }
  expect(pages.size).toBe(tail.commit);
});

test.for(['fewer', 'more'] as const)(
  'a cut of a spilled tail fails if the log has restarted with %s frames than before',
  (how) => {
    const log = new Log();
    log.add(500);
    const tail = log.tail(64 * 1024);
    log.restart();
    log.add(how === 'fewer' ? 100 : 900);
    expect(() => encode(cutOf(tail, log), log)).toThrow(isWALInvalid);
  },
);

test('a damaged frame of a spilled tail is detected by its checksum', () => {
  const log = new Log();
  log.add(500);
  const tail = log.tail(64 * 1024);
  log.damage(300);
  expect(() => encode(cutOf(tail, log), log)).toThrow(isWALInvalid);
});

test('a spilled tail refuses frames of another log', () => {
  const log = new Log();
  log.add(500);
  const tail = log.tail(64 * 1024);
  log.restart();
  log.add(10);
  const { header } = log;
  const batches = log.wal.readFrames(header, 1, log.frames, header.checksum);
  expect(() => {
    for (const batch of batches) tail.add(batch, 64 * 1024);
  }).toThrow(isWALInvalid);
});

test('a frame is read by number only if its salts and checksum match the log', () => {
  const log = new Log();
  log.add(20);
  const { header } = log;
  const page = new Uint8Array(PAGE_SIZE);
  for (let number = 1; number <= log.frames; number++) {
    expect(log.wal.readPage(number, header, page)).toBe(true);
  }
  expect(log.wal.readPage(log.frames + 1, header, page)).toBe(false);
  expect(log.wal.readPage(0, header, page)).toBe(false);
  expect(log.wal.readPage(3, { ...header, salt2: header.salt2 ^ 1 }, page)).toBe(false);
  log.damage(3);
  expect(log.wal.readPage(3, header, page)).toBe(false);
  expect(log.wal.readPage(4, header, page)).toBe(true);
});
