/** The process that replicates crashes. */

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { openSluice, type SluiceEvent, type SluiceNotice } from '@sluice/core';
import { destinationData } from '@sluice/core/backend';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { insertRow, isRunning, openApp, openDatabase, rowsAt } from './support.ts';

test('it is started again, and the application is told', async () => {
  const folder = temporaryFolder('library');
  const app = path.join(folder, 'app.db');
  const sluice = await openApp(folder);
  const warnings: SluiceNotice[] = [];
  sluice.on('warning', (notice) => warnings.push(notice));
  const events = sluice.events();
  const db = openDatabase(app);
  insertRow(db);
  await sluice.database(app).durable();
  const { pid = 0 } = sluice;
  process.kill(pid, 'SIGKILL');
  let event: SluiceEvent | undefined;
  for await (event of events) if (event.kind === 'restarted') break;
  expect(event).toEqual({ kind: 'restarted', reason: 'SIGKILL' });
  expect(warnings).toMatchObject([{ code: 'NOT_RUNNING' }]);
  insertRow(db);
  const { destinations } = await sluice.database(app).durable();
  expect(destinations).toEqual(['near', 'far']);
  expect(sluice.pid).not.toBe(pid);
  expect(await rowsAt(path.join(folder, 'far'))).toEqual([1, 2]);
});

test('a call that was waiting ends with an error, because its commit may be nowhere', async () => {
  const folder = temporaryFolder('library');
  const app = path.join(folder, 'app.db');
  const sluice = await openApp(folder);
  sluice.on('warning', () => undefined);
  // Without a database, the call waits.
  const waiting = sluice.database(app).durable({ timeoutMs: Infinity });
  await sluice.database(app).status(); // the call has arrived
  process.kill(sluice.pid ?? 0, 'SIGKILL');
  await expect(waiting).rejects.toMatchObject({
    code: 'NOT_DURABLE',
    durable: { reason: 'interrupted' },
  });
});

test('close during a restart waits for it, and makes the last sync', async () => {
  const folder = temporaryFolder('library');
  const sluice = await openApp(folder);
  sluice.on('warning', () => undefined);
  insertRow(openDatabase(path.join(folder, 'app.db')));
  const events = sluice.events();
  process.kill(sluice.pid ?? 0, 'SIGKILL');
  for await (const event of events) if (event.kind === 'restarted') break;
  const { databases } = await sluice.close();
  expect(databases[0]?.destinations.map(({ complete }) => complete)).toEqual([
    'complete',
    'complete',
  ]);
  expect(await rowsAt(path.join(folder, 'near'))).toEqual([1]);
});

test('a crash during close is followed by another last sync', async () => {
  const folder = temporaryFolder('library');
  const sluice = await openApp(folder);
  sluice.on('warning', () => undefined);
  insertRow(openDatabase(path.join(folder, 'app.db')));
  const { pid = 0 } = sluice;
  const closing = sluice.close();
  process.kill(pid, 'SIGKILL');
  const { databases } = await closing;
  expect(databases[0]?.destinations.map(({ complete }) => complete)).toEqual([
    'complete',
    'complete',
  ]);
  expect(await rowsAt(path.join(folder, 'far'))).toEqual([1]);
  expect(isRunning(sluice.pid ?? 0)).toBe(false);
});

test('one that crashes at each start is given up, with the reason', async () => {
  const folder = temporaryFolder('library');
  const module = pathToFileURL(path.join(import.meta.dirname, 'crashing-backend.mjs')).href;
  const opening = openSluice({
    databases: [{ path: path.join(folder, 'app.db'), destinations: [destinationData(module, {})] }],
  });
  await expect(opening).rejects.toMatchObject({
    code: 'NOT_RUNNING',
    message: expect.stringMatching(
      /has ended 6 times, the last time with Error: this backend/,
    ) as string,
  });
});
