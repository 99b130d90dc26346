/**
 * A restart costs what has changed: nothing for an untouched database, otherwise the changed pages, once for
 * each destination. If the page checksums in the staging folder are in doubt, a full snapshot is taken.
 */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../support/wait.ts';
import { App, compare, expectAll } from './app.ts';
import { Sidecar } from './sidecar.ts';

const PAGE_BYTES = 4096;
/** One row fills one page. */
const ROW_BYTES = 4000;
const DATABASE_BYTES = 64 * 1024 * 1024;
const SENT_BYTES_MAX = 1024 * 1024;

/** The files of a destination and their sizes. */
function filesOf(app: App, name: string): Map<string, number> {
  const bucket = app.bucket(name);
  const files = fs.readdirSync(bucket, { recursive: true, encoding: 'utf8' });
  const sizes = files.map((file) => [file, fs.statSync(path.join(bucket, file))] as const);
  return new Map(sizes.filter(([, stat]) => stat.isFile()).map(([file, { size }]) => [file, size]));
}

/** What came to a destination since `before`. */
function sentSince(before: Map<string, number>, app: App, name: string): [string, number][] {
  return [...filesOf(app, name)].filter(([file]) => !before.has(file) && file.endsWith('.ltx'));
}

function checksumsOf(app: App): string {
  return path.join(app.folder, '.app.db-sluice', 'checksums');
}

test('after 100 changed pages of 64 MiB, at most 1 MiB is sent to each destination', async () => {
  const app = new App(PAGE_BYTES);
  const rows = DATABASE_BYTES / PAGE_BYTES;
  const insert = app.db.prepare('INSERT INTO t(a) VALUES(randomblob(?))');
  app.db.transaction(() => {
    for (let row = 0; row < rows; row++) insert.run(ROW_BYTES);
  })();
  app.db.pragma('wal_checkpoint(TRUNCATE)');
  const first = new Sidecar(app.replicatedTo('a', 'b'));
  await first.settled();
  await first.stop();
  const before = { a: filesOf(app, 'a'), b: filesOf(app, 'b') };

  const update = app.db.prepare('UPDATE t SET a = randomblob(?) WHERE id = ?');
  for (let row = 1; row <= 100; row++) update.run(ROW_BYTES, row * 160);
  app.close(); // deletes the WAL

  const second = new Sidecar(app.replicatedTo('a', 'b'));
  expect((await second.beginning()).kind).toBe('changed pages');
  await second.settled();
  await second.stop();
  for (const name of ['a', 'b'] as const) {
    const sent = sentSince(before[name], app, name);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.[1]).toBeGreaterThan(100 * ROW_BYTES);
    expect(sent[0]?.[1]).toBeLessThan(SENT_BYTES_MAX);
  }
  await expectAll(app, ['a', 'b']);
});

test('an untouched database costs nothing, however often both stop and start', async () => {
  const app = new App();
  app.add(1000);
  const first = new Sidecar(app.replicatedTo('a', 'b'));
  await first.settled();
  const before = { a: filesOf(app, 'a'), b: filesOf(app, 'b') };
  await first.stop();
  for (const end of ['stop', 'SIGKILL', 'stop', 'SIGKILL'] as const) {
    app.close();
    app.db.exec('SELECT 1 FROM t');
    const sidecar = new Sidecar(app.replicatedTo('a', 'b'));
    expect((await sidecar.beginning()).kind).not.toBe('full snapshot');
    await sidecar.settled();
    app.close();
    await sidecar.end(end);
  }
  for (const name of ['a', 'b'] as const) expect(sentSince(before[name], app, name)).toEqual([]);
  await expectAll(app, ['a', 'b']);
});

test('stopped and started at once beside a writer that restarts its log, no full snapshot is taken', async () => {
  const app = new App();
  app.add(4000);
  app.db.pragma('wal_checkpoint(TRUNCATE)');
  app.db.pragma('wal_autocheckpoint=10');
  let sidecar = new Sidecar(app.replicatedTo('a', 'b'));
  await sidecar.settled();
  const writer = setInterval(() => app.add(1), 5);
  onTestFinished(() => clearInterval(writer));
  const kinds = new Set<string>();
  for (let restart = 0; restart < 3; restart++) {
    await sidecar.stop();
    app.db.pragma('wal_checkpoint(RESTART)'); // of every log that the replicator knows
    app.add(3);
    sidecar = new Sidecar(app.replicatedTo('a', 'b'));
    kinds.add((await sidecar.beginning()).kind);
    await sidecar.settled();
  }
  expect([...kinds]).toEqual(['changed pages']);
  clearInterval(writer);
  await sidecar.settled();
  await expectAll(app, ['a', 'b']);
});

/** Each damages the checksums. `early`: those of an earlier file of this run. */
const DOUBTS: Readonly<Record<string, (file: string, early: Buffer) => void>> = {
  missing: (file) => fs.rmSync(file),
  empty: (file) => fs.truncateSync(file, 0),
  truncated: (file) => fs.truncateSync(file, fs.statSync(file).size - 9),
  'of an earlier file': (file, early) => fs.writeFileSync(file, early),
  'damaged in one bit': (file) => {
    const bytes = fs.readFileSync(file);
    bytes[200] = (bytes[200] ?? 0) ^ 4;
    fs.writeFileSync(file, bytes);
  },
};

test.for(Object.keys(DOUBTS))('checksums that are %s lead to a full snapshot', async (doubt) => {
  const app = new App();
  app.add(2000);
  const first = new Sidecar(app.replicatedTo('a', 'b'));
  await first.settled();
  const early = fs.readFileSync(checksumsOf(app));
  app.add(20);
  await first.settled();
  await first.stop();
  app.add(20);
  app.close();
  DOUBTS[doubt]?.(checksumsOf(app), early);
  const second = new Sidecar(app.replicatedTo('a', 'b'));
  expect((await second.beginning()).kind).toBe('full snapshot');
  await second.settled();
  await expectAll(app, ['a', 'b']);
  // The full snapshot makes new ones.
  await second.stop();
  app.add(20);
  app.close();
  const third = new Sidecar(app.replicatedTo('a', 'b'));
  expect((await third.beginning()).kind).toBe('changed pages');
  await third.settled();
  await expectAll(app, ['a', 'b']);
});

test('checksums of another database lead to a full snapshot', async () => {
  const [app, other] = [new App(), new App()];
  for (const each of [app, other]) {
    each.add(2000);
    const sidecar = new Sidecar(each.replicatedTo('a'));
    await sidecar.settled();
    await sidecar.stop();
  }
  app.add(20);
  app.close();
  fs.copyFileSync(checksumsOf(other), checksumsOf(app));
  const sidecar = new Sidecar(app.replicatedTo('a'));
  expect((await sidecar.beginning()).kind).toBe('full snapshot');
  await sidecar.settled();
  await expectAll(app, ['a']);
});

test('a destination without the base gets a full snapshot, the other one the changed pages', async () => {
  const app = new App();
  app.add(2000);
  const first = new Sidecar(app.replicatedTo('a', 'b'));
  await first.settled();
  await first.stop();
  app.add(20);
  app.close();
  const before = filesOf(app, 'a');
  fs.rmSync(path.join(app.bucket('b'), 'ltx'), { recursive: true });
  const second = new Sidecar(app.replicatedTo('a', 'b'));
  expect((await second.beginning()).kind).toBe('changed pages');
  const txid = await second.settled();
  await until('b can be restored', async () => {
    const restored = await app.restored('b', txid).catch(() => Buffer.alloc(0));
    return compare(restored, app.bytes()) === 'equal';
  });
  await expectAll(app, ['a', 'b']);
  expect(sentSince(before, app, 'a').filter(([file]) => file.includes('/0/'))).toHaveLength(1);
});
