/** A database with a destination for the command: a daemon that replicates, and readers beside it. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { sluice } from '../../check/program.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import type { Place } from './places.ts';

export interface Setting {
  /** Configuration file of the daemon. */
  readonly daemon: string;
  /** Runs `sluice status` and returns its exit code. */
  status(): Promise<number | null>;
  /** Runs `sluice restore` and returns its exit code. */
  restore(): Promise<number | null>;
  /** Adds rows to the database. */
  add(): void;
  rows(): unknown;
  /** Rows of the last restore. */
  restoredRows(): unknown;
}

const ROWS = 50;

export function makeSetting(place: Place): Setting {
  const folder = temporaryFolder('reading');
  const database = path.join(folder, 'app.db');
  const configOf = (name: string, input: object): string => {
    const file = path.join(folder, name);
    const replica = { ...input, path: place.pathOf('app') };
    const document = { 'sync-interval': '50ms', dbs: [{ path: database, replicas: [replica] }] };
    fs.writeFileSync(file, stringify(document));
    return file;
  };
  const daemon = configOf('daemon.yml', place.input.direct);
  const reader = configOf('reader.yml', place.input.recorded);
  const output = path.join(folder, 'restored.db');

  const db = new Database(database);
  onTestFinished(() => void db.close());
  db.pragma('journal_mode=wal');
  db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a BLOB)');
  const insert = db.prepare('INSERT INTO t(a) VALUES(randomblob(2000))');
  const add = (): void => {
    for (let row = 0; row < ROWS; row += 1) insert.run();
  };
  add();

  const rowsOf = (from: Database.Database): unknown =>
    from.prepare('SELECT id, hex(a) AS a FROM t ORDER BY id').all();
  return {
    daemon,
    status: async () => (await sluice('status', '-config', reader)).code,
    restore: async () =>
      (await sluice('restore', '-config', reader, '-force', '-o', output, database)).code,
    add,
    rows: () => rowsOf(db),
    restoredRows() {
      const restored = new Database(output, { readonly: true });
      try {
        return rowsOf(restored);
      } finally {
        restored.close();
      }
    },
  };
}
