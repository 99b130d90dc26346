// Run by packed.mjs next to an installed `sluice`: replicates a database to two folders, and restores it from each.
// Uses nothing from the repository. SLUICE_PROGRAM may name an executable to use instead.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';

const CLI = path.join(import.meta.dirname, 'node_modules', 'sluice', 'dist', 'main.js');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-scenario-'));
const program = process.env.SLUICE_PROGRAM;
const [file, ...words] = program === undefined ? [process.execPath, CLI] : [program];
const sluice = (...args) => execFileSync(file, [...words, ...args], { encoding: 'utf8' });

try {
  const source = path.join(folder, 'app.db');
  const database = new Database(source);
  database.pragma('journal_mode = WAL');
  database.exec('create table t (id integer primary key, text)');
  const insert = database.prepare('insert into t (text) values (?)');
  for (let round = 0; round < 500; round += 1) insert.run(`row ${round} ${'x'.repeat(round)}`);

  const folders = ['one', 'two'].map((name) => path.join(folder, name));
  sluice('replicate', '-once', source, ...folders.map((name) => `file://${name}`));
  const expected = database.prepare('select * from t').all();
  database.close();

  for (const backup of folders) {
    const output = `${backup}.db`;
    sluice('restore', '-o', output, `file://${backup}`);
    const restored = new Database(output, { readonly: true });
    assert.equal(restored.pragma('integrity_check', { simple: true }), 'ok');
    assert.deepEqual(restored.prepare('select * from t').all(), expected);
    restored.close();
    // In a process of its own.
    assert.match(sluice('drill', `file://${backup}`), /quick_check is ok/);
  }
  // The pages are in the package.
  assert.match(sluice('help', 'docs/recover.md'), /^# Recover/);
  assert.match(sluice('help', 'REPLICA_IN_USE'), /^### REPLICA_IN_USE/);
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
