/** CommonJS applications. */

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { rowsAt } from './support.ts';

const APP = `
const { DatabaseSync } = require('node:sqlite');
const { openSluice } = require('@sluice/core');
const { file } = require('@sluice/file');
const [, , app, backup] = process.argv;

async function main() {
  const sluice = await openSluice({ databases: [{ path: app, destinations: [file(backup)] }] });
  const db = new DatabaseSync(app);
  db.exec('PRAGMA journal_mode = wal; CREATE TABLE t (v INTEGER PRIMARY KEY); INSERT INTO t DEFAULT VALUES');
  await sluice.database(app).durable();
  await sluice.close();
}

main();
`;

test('an application in CommonJS requires the packages', async () => {
  const folder = temporaryFolder('library');
  const backup = path.join(folder, 'backup');
  const script = path.join(import.meta.dirname, `commonjs-${process.pid}.cjs`); // it resolves our packages
  fs.writeFileSync(script, APP);
  try {
    execFileSync(process.execPath, [script, path.join(folder, 'app.db'), backup], {
      stdio: 'pipe',
    });
  } finally {
    fs.rmSync(script);
  }
  expect(await rowsAt(backup)).toEqual([1]);
});
