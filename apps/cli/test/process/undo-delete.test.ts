/** The example "Undo a DELETE" of docs/runbook.md does what it says. */

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { CLI, runProcess } from '../support/process.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const RUNBOOK = fileURLToPath(new URL('../../../../docs/runbook.md', import.meta.url));
const DRIVER = createRequire(import.meta.url).resolve('better-sqlite3');

/** The commands of the section, block by block. */
function blocks(): string[] {
  const text = fs.readFileSync(RUNBOOK, 'utf8');
  const section = text.split('## Undo a DELETE\n')[1]?.split(/^## /m)[0] ?? '';
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
}

/** A folder with the commands `sluice` and `sqlite3`. */
function commands(): string {
  const folder = temporaryFolder();
  const sqlite =
    `const database = new (require(${JSON.stringify(DRIVER)}))(process.argv[2]);` +
    "for (const sql of process.argv[3].split(';')) { const each = database.prepare(sql);" +
    'if (each.reader) console.log(Object.values(each.get()).join()); else each.run(); }';
  const scripts = {
    sluice: `exec '${process.execPath}' '${CLI}' "$@"`,
    sqlite3: `exec '${process.execPath}' '${writeFile(folder, 'sqlite3.cjs', sqlite)}' "$@"`,
  };
  for (const [name, line] of Object.entries(scripts)) {
    fs.chmodSync(writeFile(folder, name, `#!/bin/sh\n${line}\n`), 0o755);
  }
  return folder;
}

test('a DELETE is found in the history, and its rows are copied back', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'app.db');
  const config = writeFile(
    folder,
    'sluice.yml',
    `dbs:\n- path: ${file}\n  replica: { path: ${path.join(folder, 'backup')} }\n`,
  );
  const commit = async (sql: string): Promise<void> => {
    const database = new Database(file);
    database.pragma('journal_mode = wal');
    database.exec(sql);
    database.close();
    const { code, stderr } = await runProcess(['replicate', '-once', '-config', config]);
    expect([code, stderr]).toEqual([0, expect.any(String)]);
  };
  const insert = (text: string): string => `INSERT INTO notes (text) VALUES ('${text}')`;
  await commit(`CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); ${insert('one')}`);
  await commit(insert('two'));
  await commit('DELETE FROM notes');
  await commit("INSERT INTO notes VALUES (9, 'after')");

  const PATH = `${commands()}:${process.env['PATH'] ?? ''}`;
  const outputs: string[] = [];
  for (const block of blocks()) {
    const options = { cwd: folder, env: { ...process.env, PATH } };
    outputs.push((await promisify(execFile)('sh', ['-euc', block], options)).stdout);
  }
  const [history = '', restored = '', copied] = outputs;
  expect(history).toMatch(/: 4 moments, from \S+ \(TXID 0{15}1\) to \S+ \(TXID 0{15}4\)/);
  expect(history).toContain('moments, newest first (all 4):');
  expect(
    [...history.matchAll(/^ {4}\S+ {2}TXID 0{15}(\d) {2}level 0$/gm)].map(([, n]) => n),
  ).toEqual(['4', '3', '2', '1']);
  expect(restored).toMatch(/^restored before\.db from file .*TXID 0{15}2[\s\S]*\n2\n$/);
  expect(copied).toBe('');
  const database = new Database(file, { readonly: true });
  const texts = database.prepare('SELECT text FROM notes ORDER BY id').pluck().all();
  database.close();
  expect(texts).toEqual(['one', 'two', 'after']);
});
