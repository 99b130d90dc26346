/** `openSluice` from its start to the end of the application. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';
import { insertRow, isRunning, openApp, openDatabase, rowsAt, startApp } from './support.ts';

test('an acknowledged row can be restored from as many destinations as were asked for', async () => {
  const folder = temporaryFolder('library');
  const sluice = await openApp(folder);
  const db = openDatabase(path.join(folder, 'app.db'));
  insertRow(db);
  const report = await sluice.database(path.join(folder, 'app.db')).durable({ min: 2 });
  expect(report.destinations).toEqual(['near', 'far']);
  for (const name of report.destinations) {
    expect(await rowsAt(path.join(folder, name))).toEqual([1]);
  }
});

test('close makes a last sync and reports it', async () => {
  const folder = temporaryFolder('library');
  const sluice = await openApp(folder);
  const { pid = 0 } = sluice;
  insertRow(openDatabase(path.join(folder, 'app.db')));
  const { databases } = await sluice.close();
  expect(databases[0]?.destinations.map(({ complete }) => complete)).toEqual([
    'complete',
    'complete',
  ]);
  expect(await rowsAt(path.join(folder, 'far'))).toEqual([1]);
  expect(isRunning(pid)).toBe(false);
});

test('an aborted signal closes it', async () => {
  const folder = temporaryFolder('library');
  const controller = new AbortController();
  const sluice = await openApp(folder, { signal: controller.signal });
  insertRow(openDatabase(path.join(folder, 'app.db')));
  const events = Array.fromAsync(sluice.events());
  controller.abort();
  await events; // ends with it
  expect(await rowsAt(path.join(folder, 'near'))).toEqual([1]);
  await expect(sluice.database(path.join(folder, 'app.db')).durable()).rejects.toMatchObject({
    code: 'NOT_DURABLE',
    durable: { reason: 'closed' },
  });
});

test('a second one for the same database waits until the first one has made its last sync', async () => {
  const folder = temporaryFolder('library');
  const app = path.join(folder, 'app.db');
  const first = await openApp(folder);
  insertRow(openDatabase(app));
  const warned = new Promise<Error>((resolve) => {
    process.once('warning', resolve);
  });
  const opening = openApp(folder);
  expect((await warned).message).toContain(`replicator ${first.pid}`);
  await first.close();
  const { destinations } = await (await opening).database(app).durable();
  expect(destinations).toEqual(['near', 'far']);
});

test('a folder that has come back empty is reseeded by a call', async () => {
  const folder = temporaryFolder('library');
  const app = path.join(folder, 'app.db');
  const first = await openApp(folder);
  const db = openDatabase(app);
  insertRow(db);
  await first.database(app).durable();
  await first.close();
  fs.rmSync(path.join(folder, 'near'), { recursive: true });
  fs.mkdirSync(path.join(folder, 'near'));
  const sluice = await openApp(folder);
  sluice.on('error', () => undefined).on('warning', () => undefined);
  const database = sluice.database(app);
  insertRow(db);
  await expect(database.durable()).rejects.toMatchObject({ durable: { have: ['far'] } });
  expect(fs.readdirSync(path.join(folder, 'near'))).toEqual([]);
  expect(await database.reseed('near')).toBe('accepted');
  await until('near has a full snapshot', async () => {
    const { destinations } = await database.status();
    return destinations.every(({ state }) => state === 'streaming');
  });
  expect(await database.reseed('near')).toBe('not needed');
  expect((await database.durable()).destinations).toEqual(['near', 'far']);
  expect(await rowsAt(path.join(folder, 'near'))).toEqual([1, 2]);
});

test('signals that reach the application too do not end its process', async () => {
  const folder = temporaryFolder('library');
  const app = path.join(folder, 'app.db');
  const sluice = await openApp(folder);
  const { pid = 0 } = sluice;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
  insertRow(openDatabase(app));
  await sluice.database(app).durable();
  expect(sluice.pid).toBe(pid);
});

test('closing leaves no handle and no listener in the application', async () => {
  const { lines, ended } = await startApp(temporaryFolder('library'), 'close');
  const { value } = (await lines.next()) as { readonly value: string };
  const { before, after } = JSON.parse(value) as Record<'before' | 'after', unknown>;
  expect(after).toEqual(before);
  expect(await ended).toEqual([0, null]);
});

test('an application that forgets to close ends all the same, and the last row is sent', async () => {
  const folder = temporaryFolder('library');
  const { host, ended } = await startApp(folder, 'leave');
  expect(await ended).toEqual([0, null]);
  await until('the process that replicates has ended', () => !isRunning(host));
  expect(await rowsAt(path.join(folder, 'near'))).toEqual([1]);
  expect(await rowsAt(path.join(folder, 'far'))).toEqual([1]);
});

test('an application that is killed loses no commit: its process makes a last sync', async () => {
  const folder = temporaryFolder('library');
  const { host, ended } = await startApp(folder, 'die');
  expect(await ended).toEqual([null, 'SIGKILL']);
  await until('the process that replicates has ended', () => !isRunning(host));
  expect(await rowsAt(path.join(folder, 'near'))).toEqual([1]);
  expect(await rowsAt(path.join(folder, 'far'))).toEqual([1]);
});

test('a restart of an application without its database has every acknowledged row', async () => {
  const folder = temporaryFolder('library');
  const first = await startApp(folder, 'write');
  let acknowledged = 0;
  for await (const line of first.lines) {
    const row = /^row (\d+)$/.exec(line)?.[1];
    if (row === undefined) continue;
    acknowledged = Number(row);
    if (acknowledged >= 20) break;
  }
  first.process.kill('SIGKILL');
  await first.ended;
  for (const name of ['app.db', 'app.db-wal', 'app.db-shm']) {
    fs.rmSync(path.join(folder, name), { force: true });
  }
  const second = await startApp(folder, 'write');
  const { value } = (await second.lines.next()) as { readonly value: string };
  const rows = value.split(' ').slice(1).map(Number);
  expect(rows.slice(0, acknowledged)).toEqual(
    Array.from({ length: acknowledged }, (_, index) => index + 1),
  );
});
