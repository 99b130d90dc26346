/** A database that did not exist at the start is looked for by a sync, and is never given up. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test, vi } from 'vitest';
import { type FileSystem, systemFiles } from '../../src/file-system.ts';
import { Watched } from './watched.ts';

vi.setConfig({ testTimeout: 120_000 });

/** A database beside the path that is watched. */
function databaseElsewhere({ folder }: Watched): string {
  const file = path.join(folder, 'made-elsewhere.db');
  const database = new Database(file);
  database.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, v)');
  database.close();
  return file;
}

test('a database that cannot be opened is tried again, however many syncs have looked for it', async () => {
  const watched = new Watched();
  const engine = watched.start();
  await watched.next('waiting');
  fs.writeFileSync(watched.path, 'this is not a database'.repeat(100));
  const syncs = await Promise.all([engine.sync(), engine.sync(), engine.sync()]);
  expect(syncs).toEqual([undefined, undefined, undefined]);
  expect(watched.all('failed')).toMatchObject([{ code: 'DATABASE_INVALID' }]);
  fs.renameSync(databaseElsewhere(watched), watched.path);
  await watched.next('opened');
});

test('a sync waits for a database that is being opened', async () => {
  const entered = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const files: FileSystem = {
    ...systemFiles,
    makeFolder: async (folder) => {
      entered.resolve();
      await gate.promise;
      await systemFiles.makeFolder(folder);
    },
  };
  const watched = new Watched();
  const engine = watched.start({ files });
  await watched.next('waiting');
  fs.renameSync(databaseElsewhere(watched), watched.path);
  await entered.promise;
  let answered: 'waits' | 'answered' = 'waits';
  const sync = engine.sync().then(() => {
    answered = 'answered';
  });
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  const before = answered;
  gate.resolve();
  expect(before).toBe('waits');
  await sync;
  expect(watched.all('opened')).toHaveLength(1);
});
