/** Encrypted destinations of `openSluice`. */

import fs from 'node:fs';
import path from 'node:path';
import { openSluice, type Sluice } from '@sluice/core';
import { file } from '@sluice/file';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { insertRow, openDatabase, rowsAt, rowsOf } from './support.ts';

/** Made for tests. */
const RECIPIENT = 'age10xcxhj72wqsd040c47dyptd7kttutgyps8v35k3drfeenafv9uksvs2p3z';
const IDENTITY = 'AGE-SECRET-KEY-1HAKRYKZZ5YQ26KDCK52UNVUF43RM5C72SWD05M5JUK3QSQTQHV9SQ8KVG2';

async function open(app: string, backup: string, identities: readonly string[]): Promise<Sluice> {
  const encryption = { recipients: [RECIPIENT], identities };
  const sluice = await openSluice({
    databases: [{ path: app, destinations: [file(backup, { encryption })] }],
    restoreIfMissing: true,
  });
  onTestFinished(async () => void (await sluice.close().catch(() => undefined)));
  return sluice;
}

test('an encrypted backup is restored with its identity, and with nothing else', async () => {
  const folder = temporaryFolder('library');
  const app = path.join(folder, 'app.db');
  const backup = path.join(folder, 'backup');
  const first = await open(app, backup, []); // to send, no identity is needed
  const db = openDatabase(app);
  insertRow(db);
  await first.database(app).durable();
  db.close();
  await first.close();
  fs.rmSync(app);
  await expect(rowsAt(backup)).rejects.toMatchObject({ code: expect.any(String) as string });
  await open(app, backup, [IDENTITY]);
  expect(rowsOf(app)).toEqual([1]);
});
