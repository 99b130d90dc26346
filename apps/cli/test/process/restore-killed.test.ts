/**
 * Kills `sluice restore -force` before each of its steps in the folder of the database. Afterwards
 * SQLite must read either the complete old database or the complete new one. If the old file has a
 * second name, it is complete under that name too.
 */

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { expect, test, vi } from 'vitest';
import { expectedOf, goldenBucket, sha256 } from '../support/golden.ts';
import { runProcess } from '../support/process.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const restored = expectedOf().at(-1)?.file_sha256;
/** Longer than any restore takes. */
const STEPS_MAX = 60;

/** Kills its process before step number KILL_AT. */
const HOOK = `
import fs from 'node:fs/promises';
let step = 0;
for (const name of ['rename', 'link', 'unlink', 'rm', 'open']) {
  const real = fs[name];
  fs[name] = async (...args) => {
    if (String(args[0]).startsWith(process.env.KILL_IN)) {
      step += 1;
      if (step === Number(process.env.KILL_AT)) process.kill(process.pid, 'SIGKILL');
    }
    return await real(...args);
  };
}
`;

interface Old {
  readonly folder: string;
  readonly output: string;
}

/** Copies the folder of an open database: the state after a power loss. */
function copyOf(write: (database: Database.Database) => void): Old {
  const source = path.join(temporaryFolder(), 'source.db');
  const database = new Database(source);
  database.exec('CREATE TABLE old (text TEXT)');
  write(database);
  const folder = temporaryFolder();
  const output = path.join(folder, 'app.db');
  for (const side of ['', '-wal', '-shm', '-journal']) {
    if (fs.existsSync(source + side)) fs.copyFileSync(source + side, output + side);
  }
  database.close();
  return { folder, output };
}

/** The old file under its other name. */
const KEPT = /^app\.db\.before-\d{8}T\d{6}Z$/;
const ROWS = 40;
const insert = (database: Database.Database, count: number): void => {
  const statement = database.prepare('INSERT INTO old VALUES (randomblob(4000))');
  for (let row = 0; row < count; row += 1) statement.run();
};

const STATES: readonly { readonly name: string; readonly make: () => Old }[] = [
  {
    name: 'whose last commits are in its WAL',
    make: () =>
      copyOf((database) => {
        database.pragma('journal_mode = wal');
        insert(database, ROWS / 2);
        database.pragma('wal_checkpoint(TRUNCATE)');
        insert(database, ROWS / 2);
      }),
  },
  {
    name: 'that has a journal to be rolled back',
    make: () =>
      copyOf((database) => {
        insert(database, ROWS);
        database.pragma('cache_size = 2');
        database.exec('BEGIN; DELETE FROM old'); // pages that do not fit into the cache are already in the file
      }),
  },
  {
    name: 'without anything beside it',
    make: () => copyOf((database) => insert(database, ROWS)),
  },
];

/** Returns 'old' or 'new' if the database is complete, as an application would read it. */
function stateOf(output: string): string {
  const copy = path.join(temporaryFolder(), 'copy.db');
  for (const side of ['', '-wal', '-shm', '-journal']) {
    if (fs.existsSync(output + side)) fs.copyFileSync(output + side, copy + side);
  }
  const database = new Database(copy, { fileMustExist: true });
  try {
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    const isOld = "SELECT count(*) FROM sqlite_schema WHERE name = 'old'";
    if (database.prepare(isOld).pluck().get() === 0) {
      expect(sha256(output)).toBe(restored);
      return 'new';
    }
    return `old with ${String(database.prepare('SELECT count(*) FROM old').pluck().get())} rows`;
  } finally {
    database.close();
  }
}

test.each(STATES)(
  'a restore over a database $name, killed at any step, leaves the old or the new one',
  async ({ make }) => {
    const hook = pathToFileURL(writeFile(temporaryFolder(), 'hook.mjs', HOOK)).href;
    const bucket = `file://${goldenBucket()}`;
    const seen: string[] = [];
    let hasSecondName = false;
    for (let step = 1; step <= STEPS_MAX; step += 1) {
      const { folder, output } = make();
      const words = ['restore', '-force', '-o', output, bucket];
      const { code, signal, stderr } = await runProcess(words, {
        NODE_OPTIONS: `--import ${hook}`,
        KILL_IN: output,
        KILL_AT: String(step),
      });
      seen.push(stateOf(output));
      const keptNames = fs.readdirSync(folder).filter((file) => KEPT.test(file));
      for (const name of keptNames) {
        expect(stateOf(path.join(folder, name))).toBe(`old with ${ROWS} rows`);
      }
      if (signal === null) {
        expect([code, stderr]).toEqual([0, '']);
        expect(fs.readdirSync(folder).sort()).toEqual(['app.db', ...keptNames]);
        expect(keptNames).toHaveLength(1);
        break;
      }
      // Never the new database without the old one.
      if (seen.at(-1) === 'new') expect(keptNames).toHaveLength(1);
      expect(signal).toBe('SIGKILL');
      // The next restore removes the temporary file.
      const left = fs
        .readdirSync(folder)
        .filter((file) => !/^app\.db(-\w+)?$/.test(file) && !KEPT.test(file));
      expect(left.join()).toMatch(/^(app\.db\.sluice-tmp-[0-9a-f]+)?$/);
      if (keptNames.length > 0 && seen.at(-1) !== 'new' && !hasSecondName) {
        hasSecondName = true; // of the live file: no copy, and the next restore removes it
        expect((await runProcess(words)).code).toBe(0);
        const [live, kept, ...others] = fs.readdirSync(folder).sort();
        expect([live, others]).toEqual(['app.db', []]);
        expect(kept).toMatch(KEPT);
        expect([stateOf(output), stateOf(path.join(folder, kept ?? ''))]).toEqual([
          'new',
          `old with ${ROWS} rows`,
        ]);
      }
    }
    expect(hasSecondName).toBe(true);
    // Old before one of the steps, and new after it.
    expect(seen.join(', ')).toMatch(new RegExp(`^(old with ${ROWS} rows, ){4,}new(, new)*$`));
  },
);
