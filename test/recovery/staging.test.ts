/**
 * Staging is bounded: a destination that fails for long gets a new full snapshot instead of its staged
 * files, does not affect the others, and a full snapshot whose staged files are gone is started over.
 */

import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../support/wait.ts';
import { App, compare, expectAll } from './app.ts';
import { Sidecar } from './sidecar.ts';

test('a destination that fails for long gets a full snapshot: staging stays bounded, others are unaffected', async () => {
  const stagingMaxBytes = 256 * 1024;
  const app = new App();
  app.add(500);
  const sidecar = new Sidecar({
    ...app.replicatedTo('a', 'b'),
    options: { stagingMaxBytes, levels: [] },
  });
  const early = await sidecar.settled();
  const earlyBytes = app.bytes();
  await sidecar.setFault('b', 'refusing');
  let stagedMax = 0;
  for (let commit = 0; commit < 60; commit++) {
    app.add(200);
    app.db.exec(`UPDATE t SET a = hex(randomblob(20)) WHERE id % 60 = ${commit}`);
    await sidecar.settled(['a']);
    const { stagedBytes } = await sidecar.status();
    stagedMax = Math.max(stagedMax, stagedBytes);
  }
  expect(
    sidecar.messages.some((message) =>
      /staging is full: b will get a full snapshot instead/.test(message),
    ),
  ).toBe(true);
  // The newest file may exceed the limit.
  expect(stagedMax).toBeLessThan(stagingMaxBytes * 2);
  expect(folderBytes(path.join(app.folder, '.app.db-sluice', 'ltx', '0'))).toBeLessThan(
    stagingMaxBytes * 2,
  );
  await expectAll(app, ['a']);

  await sidecar.setFault('b', 'none');
  app.add(10);
  await sidecar.settled();
  await expectAll(app, ['a', 'b']);
  expect(compare(await app.restored('b', early), earlyBytes)).toBe('equal');
  await until('only the newest file stays staged', async () => {
    return (await sidecar.status()).stagedFiles === 1;
  });
});

test('a failing destination does not stop periodic snapshots at the others, and staging stays small', async () => {
  const app = new App();
  app.add(500);
  const sidecar = new Sidecar({
    ...app.replicatedTo('a', 'b'),
    options: { snapshotIntervalMs: 500 },
  });
  await sidecar.settled();
  await sidecar.setFault('b', 'refusing');
  const before = snapshotsIn(app.bucket('a'));
  await until('a has three more snapshots', async () => {
    app.add(1);
    await sidecar.settled(['a']);
    return snapshotsIn(app.bucket('a')) >= before + 3;
  });
  const staged = fs.readdirSync(path.join(app.folder, '.app.db-sluice', 'ltx', '9'));
  expect(staged.length).toBeLessThanOrEqual(2); // the one that b lacks, and one in progress
  await sidecar.setFault('b', 'none');
  app.add(1);
  await sidecar.settled();
  await expectAll(app, ['a', 'b']);
});

describe('a partly uploaded full snapshot', () => {
  /** Destination b has the level-9 file of a full snapshot and refuses the files of `level` that follow. */
  async function halfSent(app: App, level: 0 | 1): Promise<Sidecar> {
    app.add(500);
    const sidecar = new Sidecar({
      ...app.replicatedTo('a', 'b'),
      options: { stagingMaxBytes: 64 * 1024 },
    });
    await sidecar.settled();
    await sidecar.setFault('b', 'refusing');
    await exceedStaging(app, sidecar);
    const before = snapshotsIn(app.bucket('b'));
    await sidecar.setFault('b', `refusing level ${level}`);
    await until('b has the snapshot', () => snapshotsIn(app.bucket('b')) > before, 40_000);
    return sidecar;
  }

  async function exceedStaging(app: App, sidecar: Sidecar): Promise<void> {
    for (let commit = 0; commit < 10; commit++) {
      app.db.exec(`INSERT INTO t(a) SELECT hex(randomblob(10000)) FROM t LIMIT 2`);
      await sidecar.settled(['a']);
    }
  }

  test('is started over if its staged files had to be deleted', async () => {
    const app = new App();
    const sidecar = await halfSent(app, 0);
    await exceedStaging(app, sidecar);
    await sidecar.setFault('b', 'none');
    await sidecar.settled();
    await expectAll(app, ['a', 'b']);
  });

  test('is started over if the database was replaced meanwhile', async () => {
    const app = new App();
    app.add(1);
    app.db.pragma('wal_checkpoint(TRUNCATE)');
    app.copy('early');
    const sidecar = await halfSent(app, 1);
    app.putBack('early');
    await sidecar.says(/replaced or deleted during replication/);
    await sidecar.setFault('b', 'none');
    app.add(1);
    await sidecar.settled();
    await expectAll(app, ['a', 'b']);
  });
});

function snapshotsIn(bucket: string): number {
  return fs.readdirSync(path.join(bucket, 'ltx', '9')).length;
}

function folderBytes(folder: string): number {
  const names = fs.readdirSync(folder);
  return names.reduce((sum, name) => sum + fs.statSync(path.join(folder, name)).size, 0);
}
