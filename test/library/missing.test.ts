/** `restoreIfMissing`: a missing database is restored before `openSluice` resolves, or it rejects. */

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { openSluice, type Sluice, type SluiceEvent } from '@sluice/core';
import { destinationData, type DestinationData } from '@sluice/core/backend';
import { file } from '@sluice/file';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { insertRow, openApp, openDatabase, rowsOf } from './support.ts';

const LATE = pathToFileURL(path.join(import.meta.dirname, 'late-backend.mjs')).href;

/** Replicates a new database to `near` and `far`: a row in each file. */
async function backedUp(folder: string, rows: number): Promise<void> {
  fs.mkdirSync(folder, { recursive: true });
  const app = path.join(folder, 'app.db');
  const sluice = await openApp(folder);
  const db = openDatabase(app);
  for (let row = 0; row < rows; row += 1) {
    insertRow(db);
    await sluice.database(app).durable();
  }
  db.close();
  await sluice.close();
}

/** As after the loss of the machine. */
function removeAllBut(folder: string, ...kept: readonly string[]): void {
  for (const name of fs.readdirSync(folder)) {
    if (!kept.includes(name)) fs.rmSync(path.join(folder, name), { recursive: true });
  }
}

async function open(folder: string, ...destinations: readonly DestinationData[]): Promise<Sluice> {
  const sluice = await openSluice({
    databases: [{ path: path.join(folder, 'app.db'), destinations }],
    restoreIfMissing: true,
  });
  onTestFinished(async () => void (await sluice.close().catch(() => undefined)));
  return sluice;
}

test('at another place the database is there when it resolves, and its backup is continued', async () => {
  const [old, folder] = [temporaryFolder('library'), temporaryFolder('library')];
  const app = path.join(folder, 'app.db');
  await backedUp(old, 3);
  const sluice = await open(folder, ...['near', 'far'].map((name) => file(path.join(old, name))));
  expect(rowsOf(app)).toEqual([1, 2, 3]);
  const { value: restored } = (await sluice.events().next()) as { readonly value: SluiceEvent };
  expect(restored).toMatchObject({ kind: 'restored', database: app });
  insertRow(openDatabase(app));
  const { destinations } = await sluice.database(app).durable();
  expect(destinations).toEqual(['file', 'file-2']);
});

test('destinations that lack different files are restored together', async () => {
  const folder = temporaryFolder('library');
  await backedUp(folder, 3);
  removeAllBut(folder, 'near', 'far');
  for (const [name, txid] of [
    ['near', 2],
    ['far', 3],
  ] as const) {
    const hex = String(txid).padStart(16, '0');
    fs.rmSync(path.join(folder, name, 'ltx', '0', `${hex}-${hex}.ltx`));
  }
  await openApp(folder, { restoreIfMissing: true });
  expect(rowsOf(path.join(folder, 'app.db'))).toEqual([1, 2, 3]);
});

test('without a backup anywhere it starts empty', async () => {
  const folder = temporaryFolder('library');
  await openApp(folder, { restoreIfMissing: true });
  expect(fs.existsSync(path.join(folder, 'app.db'))).toBe(false);
});

test('a missing database is not restored unless that was asked for', async () => {
  const folder = temporaryFolder('library');
  await backedUp(folder, 1);
  fs.rmSync(path.join(folder, 'app.db'));
  await openApp(folder);
  expect(fs.existsSync(path.join(folder, 'app.db'))).toBe(false);
});

test('it waits for a destination that does not answer, which may have the newest state', async () => {
  const folder = temporaryFolder('library');
  await backedUp(folder, 2);
  removeAllBut(folder, 'near', 'far');
  const warned = new Promise<Error>((resolve) => {
    process.once('warning', resolve);
  });
  const late = path.join(folder, 'far');
  const opening = open(
    folder,
    file(path.join(folder, 'near')),
    destinationData(LATE, { path: late }, { name: 'late' }),
  );
  const { message } = await warned;
  expect(message).toContain('Sluice waits for late, which may hold its newest state');
  expect(fs.existsSync(path.join(folder, 'app.db'))).toBe(false);
  fs.writeFileSync(`${late}.up`, '');
  await opening;
  expect(rowsOf(path.join(folder, 'app.db'))).toEqual([1, 2]);
});

test('an abort ends the wait', async () => {
  const folder = temporaryFolder('library');
  const controller = new AbortController();
  process.once('warning', () => controller.abort(new Error('enough')));
  const opening = openSluice({
    databases: [
      {
        path: path.join(folder, 'app.db'),
        destinations: [destinationData(LATE, { path: path.join(folder, 'far') })],
      },
    ],
    restoreIfMissing: true,
    signal: controller.signal,
  });
  await expect(opening).rejects.toThrow('enough');
});

test('different histories are refused, and nothing is restored', async () => {
  const folder = temporaryFolder('library');
  for (const part of ['one', 'two']) await backedUp(path.join(folder, part), 2);
  const opening = open(
    folder,
    ...['one', 'two'].map((part) => file(path.join(folder, part, 'near'))),
  );
  await expect(opening).rejects.toMatchObject({ code: 'RESTORE_AMBIGUOUS' });
  expect(fs.existsSync(path.join(folder, 'app.db'))).toBe(false);
});

test('an emptied destination is refused on the machine that has sent to it', async () => {
  const folder = temporaryFolder('library');
  await backedUp(folder, 2);
  fs.rmSync(path.join(folder, 'app.db'));
  fs.rmSync(path.join(folder, 'near'), { recursive: true });
  fs.mkdirSync(path.join(folder, 'near'));
  const warned = new Promise<Error>((resolve) => {
    process.once('warning', resolve);
  });
  const controller = new AbortController();
  const opening = openApp(folder, { restoreIfMissing: true, signal: controller.signal });
  opening.catch(() => undefined);
  const { message } = await warned;
  expect(message).toMatch(/near/);
  expect(fs.existsSync(path.join(folder, 'app.db'))).toBe(false);
  controller.abort();
  await expect(opening).rejects.toThrow('aborted');
});
