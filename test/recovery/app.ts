/** An application with one database, running in the test process, and restores from its destinations. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { restore } from '@sluice/core';
import { toTXID } from '@sluice/core/backend/testing';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import { openFolder } from '../support/replica.ts';
import { temporaryFolder } from '../support/temporary.ts';
import type { SidecarArguments } from './sidecar.ts';

/** Suffixes of the database file, its WAL and its wal-index. */
const SUFFIXES = ['', '-wal', '-shm'] as const;

export class App {
  readonly folder: string = temporaryFolder('continuity');
  readonly path: string = path.join(this.folder, 'app.db');
  readonly #opened: Database.Database[] = [];
  readonly #pageSize: number;
  #rows = 0;

  constructor(pageSize = 4096) {
    this.#pageSize = pageSize;
  }

  /** The connection, opened on first use. Automatic checkpoints are off. */
  get db(): Database.Database {
    const [open] = this.#opened;
    if (open !== undefined) return open;
    const db = new Database(this.path, { timeout: 5000 });
    this.#opened.push(db);
    db.pragma(`page_size=${this.#pageSize}`);
    db.pragma('journal_mode=wal');
    db.pragma('wal_autocheckpoint=0');
    db.exec('CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a TEXT)');
    return db;
  }

  /** Closes the connection. If it was the last one, SQLite checkpoints and deletes the WAL. */
  close(): void {
    this.#opened.pop()?.close();
  }

  add(rows: number): void {
    const insert = this.db.prepare('INSERT INTO t(a) VALUES(?)');
    for (let i = 0; i < rows; i++) insert.run(`row ${this.#rows++} ${'x'.repeat(i % 90)}`);
  }

  change(like: string): void {
    this.db.prepare("UPDATE t SET a = replace(a, 'x', 'y') || ? WHERE id % 50 = 7").run(like);
  }

  /** Bytes of the database file as if everything were checkpointed. */
  bytes(): Buffer {
    const reader = new Database(this.path, { readonly: true });
    try {
      return reader.serialize();
    } finally {
      reader.close();
    }
  }

  /** Copies the files as they are on disk, in another process: closing a file here would drop locks. */
  copy(name: string): void {
    for (const side of ['', '-wal']) {
      if (fs.existsSync(this.path + side)) {
        execFileSync('cp', [this.path + side, path.join(this.folder, name + side)]);
      }
    }
  }

  /** Replaces all files of the database with the copy. */
  putBack(name: string): void {
    this.close();
    for (const side of SUFFIXES) fs.rmSync(this.path + side, { force: true });
    for (const side of ['', '-wal']) {
      const copy = path.join(this.folder, name + side);
      if (fs.existsSync(copy)) fs.copyFileSync(copy, this.path + side);
    }
  }

  bucket(name: string): string {
    return path.join(this.folder, `bucket-${name}`);
  }

  /** Arguments for a replicator to these destinations. */
  replicatedTo(...names: readonly string[]): SidecarArguments {
    const destinations = names.map((name) => ({ name, folder: this.bucket(name) }));
    return { database: this.path, destinations };
  }

  /** Bytes restored from destination `name` alone. */
  async restored(name: string, txid?: bigint): Promise<Buffer> {
    const { client } = await openFolder(this.bucket(name));
    const output = path.join(this.folder, `restored-${name}.db`);
    const target =
      txid === undefined
        ? ({ kind: 'latest' } as const)
        : ({ kind: 'txid', txid: toTXID(txid) } as const);
    await restore({ sources: [{ name: 'one', client }], output, target, overwrite: 'replace' });
    return fs.readFileSync(output);
  }
}

/** "equal", or the first difference: shorter than a diff of two databases. */
export function compare(found: Buffer, expected: Buffer): string {
  if (found.equals(expected)) return 'equal';
  if (found.length !== expected.length) return `${found.length} bytes, not ${expected.length}`;
  return `different from byte ${found.findIndex((byte, index) => byte !== expected[index])} on`;
}

/** Expects each destination alone to restore to the current database. */
export async function expectAll(app: App, names: readonly string[]): Promise<void> {
  const bytes = app.bytes();
  for (const name of names) {
    expect(compare(await app.restored(name), bytes), `destination ${name}`).toBe('equal');
  }
}
