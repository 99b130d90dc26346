/**
 * Replication resumes only if continuity is proved; otherwise it sends the pages that have changed, or takes
 * a full snapshot. Whatever happens to a database and its WAL while the replicator is down, both
 * destinations restore the current state and the state before it.
 */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { App, compare } from './app.ts';
import { Sidecar } from './sidecar.ts';

interface Scene {
  /** Event while the replicator is down. */
  readonly event: string;
  readonly ends: readonly ('stop' | 'SIGKILL')[];
  readonly act: (app: App) => void;
  readonly expected: { kind: 'resumed' } | { kind: 'changed pages' | 'full snapshot'; why: RegExp };
}

const SCENES: readonly Scene[] = [
  {
    event: 'nothing happens',
    ends: ['stop', 'SIGKILL'],
    act: () => undefined,
    expected: { kind: 'resumed' },
  },
  {
    event: 'the application appends to the same WAL',
    ends: ['stop', 'SIGKILL'],
    act: (app) => app.add(700),
    expected: { kind: 'resumed' },
  },
  {
    // Litestream 0.5.18 loses rows here, and integrity_check reports ok.
    event: 'the application restarts the WAL and writes less than before',
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      app.add(500);
      app.db.pragma('wal_checkpoint(RESTART)');
      app.add(100);
    },
    expected: { kind: 'changed pages', why: /the WAL has restarted|was written to since/ },
  },
  {
    event: 'the application restarts the WAL and changes most pages',
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      app.add(1500);
      app.db.pragma('wal_checkpoint(RESTART)');
      app.add(300);
    },
    expected: { kind: 'full snapshot', why: /the WAL has restarted|was written to since/ },
  },
  {
    event: 'the application restarts the WAL and writes more than before',
    ends: ['SIGKILL'],
    act: (app) => {
      app.add(300);
      app.db.pragma('wal_checkpoint(RESTART)');
      for (let i = 0; i < 3000; i++) app.add(1);
    },
    expected: { kind: 'changed pages', why: /the WAL has restarted|was written to since/ },
  },
  {
    event: 'the WAL is truncated and nothing is written after that',
    ends: ['stop'],
    act: (app) => {
      app.add(100);
      app.db.pragma('wal_checkpoint(TRUNCATE)');
    },
    expected: { kind: 'changed pages', why: /the WAL is missing or empty|was written to since/ },
  },
  {
    event: 'the application exits and deletes its WAL',
    ends: ['SIGKILL'],
    act: (app) => {
      app.add(100);
      app.close();
      expect(fs.existsSync(`${app.path}-wal`)).toBe(false);
    },
    expected: { kind: 'changed pages', why: /the WAL is missing or empty|was written to since/ },
  },
  {
    event: 'the WAL is deleted before it was checkpointed',
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      app.copy('kept');
      fs.rmSync(path.join(app.folder, 'kept-wal'));
      app.putBack('kept');
    },
    expected: { kind: 'full snapshot', why: /was replaced by another one/ },
  },
  {
    event: 'the database is replaced by another one',
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      const other = new Database(path.join(app.folder, 'other'));
      other.pragma('journal_mode=wal');
      other.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE u(b)');
      other.exec("INSERT INTO t(a) VALUES('another database')");
      other.close();
      app.putBack('other');
    },
    expected: { kind: 'full snapshot', why: /was replaced by another one/ },
  },
  {
    event: 'the database is restored to an older state',
    ends: ['stop', 'SIGKILL'],
    act: (app) => app.putBack('older'),
    expected: { kind: 'full snapshot', why: /was replaced by another one/ },
  },
  {
    event: 'the database is restored to an older state and grows past the newer one',
    ends: ['SIGKILL'],
    act: (app) => {
      app.putBack('older');
      for (let i = 0; i < 200; i++) app.change(`${i}`);
    },
    expected: { kind: 'full snapshot', why: /was replaced by another one/ },
  },
  {
    event: 'the WAL is rolled back and the same last page is rewritten',
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      app.putBack('before-last');
      app.change('b'); // as many frames of the same pages as the change that was replicated
    },
    expected: { kind: 'full snapshot', why: /was replaced by another one/ },
  },
  {
    event: 'VACUUM runs in the same WAL',
    ends: ['SIGKILL'],
    act: (app) => {
      app.db.exec('DELETE FROM t WHERE id % 2 = 0');
      app.db.exec('VACUUM');
    },
    expected: { kind: 'resumed' },
  },
  {
    event: 'VACUUM runs and the WAL restarts',
    ends: ['stop'],
    act: (app) => {
      app.db.exec('DELETE FROM t WHERE id % 2 = 0');
      app.db.exec('VACUUM');
      app.db.pragma('wal_checkpoint(TRUNCATE)');
      app.add(1);
    },
    expected: { kind: 'full snapshot', why: /the WAL has restarted|was written to since/ },
  },
  ...([1024, 65536] as const).map((pageSize): Scene => ({
    event: `the page size changes to ${pageSize}`,
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      app.db.pragma('journal_mode=delete');
      app.db.pragma(`page_size=${pageSize}`);
      app.db.exec('VACUUM');
      app.db.pragma('journal_mode=wal');
      app.add(5);
    },
    expected: { kind: 'full snapshot', why: /the page size has changed/ },
  })),
  {
    event: 'the journal mode changes and stays changed',
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      app.db.pragma('journal_mode=delete');
      app.add(100);
      app.close();
    },
    expected: { kind: 'changed pages', why: /the WAL is missing or empty|was written to since/ },
  },
  {
    event: 'the journal mode changes and is changed back',
    ends: ['SIGKILL'],
    act: (app) => {
      app.db.pragma('journal_mode=truncate');
      app.change('in the other mode');
      app.db.pragma('journal_mode=wal');
      app.add(10);
    },
    expected: { kind: 'full snapshot', why: /the WAL has restarted|was written to since/ },
  },
];

const OUTCOMES = {
  resumed: 'replication resumes',
  'changed pages': 'the changed pages are sent',
  'full snapshot': 'a full snapshot is taken',
} as const;

for (const { event, ends, act, expected } of SCENES) {
  const outcome = OUTCOMES[expected.kind];
  test.for(ends)(`${event} while the replicator is down (%s): ${outcome}`, async (end) => {
    const app = new App();
    app.add(1500);
    const first = new Sidecar(app.replicatedTo('a', 'b'));
    await first.settled();
    app.copy('older');
    app.add(1000);
    await first.settled();
    app.copy('before-last');
    app.change('a');
    const before = await first.settled();
    const bytesBefore = app.bytes();
    await first.end(end);

    act(app);
    const second = new Sidecar(app.replicatedTo('a', 'b'));
    const beginning = await second.beginning();
    expect(beginning.kind).toBe(expected.kind);
    if (expected.kind !== 'resumed')
      expect(beginning).toHaveProperty('why', expect.stringMatching(expected.why));
    app.add(3);
    await second.settled();

    const bytes = app.bytes();
    for (const name of ['a', 'b']) {
      expect(compare(await app.restored(name), bytes)).toBe('equal');
      expect(compare(await app.restored(name, before), bytesBefore)).toBe('equal');
    }
    await second.stop();
  });
}

test('a database that has left WAL mode is switched back, and the switch is logged once', async () => {
  const app = new App();
  app.db.pragma('journal_mode=delete');
  app.add(10);
  app.close();
  const sidecar = new Sidecar(app.replicatedTo('a'));
  await sidecar.settled();
  app.add(1);
  await sidecar.settled();
  const logged = sidecar.messages.filter((message) => message.includes('switched to WAL'));
  expect(logged).toHaveLength(1);
  expect(compare(await app.restored('a'), app.bytes())).toBe('equal');
});

test.for(['replaced', 'deleted and created again'] as const)(
  'a database that is %s during replication gets a full snapshot',
  async (change) => {
    const app = new App();
    app.add(200);
    app.db.pragma('wal_checkpoint(TRUNCATE)');
    app.copy('early');
    const sidecar = new Sidecar(app.replicatedTo('a', 'b'));
    await sidecar.settled();
    app.add(300);
    const before = await sidecar.settled();
    const bytesBefore = app.bytes();
    app.putBack(change === 'replaced' ? 'early' : 'no such copy');
    if (change !== 'replaced') await sidecar.says(/^waiting: .* does not exist yet/);
    app.add(10);
    await sidecar.says(/taking a full snapshot: (?!there is no position)/);
    await sidecar.settled();
    app.add(10);
    await sidecar.settled();
    const bytes = app.bytes();
    for (const name of ['a', 'b']) {
      expect(compare(await app.restored(name), bytes)).toBe('equal');
      expect(compare(await app.restored(name, before), bytesBefore)).toBe('equal');
    }
  },
);
