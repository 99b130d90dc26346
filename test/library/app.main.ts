/**
 * An application with a database `app.db` in FOLDER, replicated to `near` and `far` there.
 *   node app.main.ts FOLDER MODE
 *     write   commits rows for ever; prints `row <n>` when row n is durable, and `start <rows>` first
 *     leave   commits a row and ends without closing anything
 *     die     commits a row and is killed
 *     close   closes Sluice and prints what is left of it in the process
 */

import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSluice } from '@sluice/core';
import { file } from '@sluice/file';

const [folder = '', mode = ''] = process.argv.slice(2);
const app = path.join(folder, 'app.db');

function traces(): unknown {
  const listeners = process.eventNames().map((name) => [name, process.listenerCount(name)]);
  return { resources: process.getActiveResourcesInfo().sort(), listeners };
}

function print(line: string): void {
  fs.writeSync(1, `${line}\n`);
}

const before = JSON.stringify(traces());
const sluice = await openSluice({
  databases: [
    {
      path: app,
      destinations: ['near', 'far'].map((name) => file(path.join(folder, name), { name })),
    },
  ],
  restoreIfMissing: true,
});
print(`pid ${sluice.pid}`);
const db = new DatabaseSync(app);
db.exec('PRAGMA journal_mode = wal; CREATE TABLE IF NOT EXISTS t (v INTEGER PRIMARY KEY)');
const insert = db.prepare('INSERT INTO t DEFAULT VALUES');

if (mode === 'write') {
  print(
    `start ${db
      .prepare('SELECT v FROM t')
      .all()
      .map(({ v }) => String(v))
      .join(' ')}`,
  );
  for (;;) {
    const { lastInsertRowid } = insert.run();
    await sluice.database(app).durable({ min: 1 });
    print(`row ${lastInsertRowid}`);
  }
}
insert.run();
if (mode === 'die') process.kill(process.pid, 'SIGKILL');
if (mode === 'close') {
  await sluice.database(app).durable();
  db.close();
  await sluice.close();
  print(JSON.stringify({ before: JSON.parse(before) as unknown, after: traces() }));
}
