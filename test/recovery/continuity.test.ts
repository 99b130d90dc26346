/**
 * Continuity is proved, or an image is taken: whatever happens to a database and its log while the
 * replicator is not there, both destinations give back what is there now, and what was there before.
 */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { App, compare } from './app.ts';
import { Sidecar } from './sidecar.ts';

interface Scene {
  /** While the replicator is not there, … */
  readonly what: string;
  readonly ends: readonly ('stop' | 'SIGKILL')[];
  readonly act: (app: App) => void;
  readonly expected: { kind: 'resumed' } | { kind: 'imaged'; why: RegExp };
}

const SCENES: readonly Scene[] = [
  {
    what: 'nothing happens',
    ends: ['stop', 'SIGKILL'],
    act: () => undefined,
    expected: { kind: 'resumed' },
  },
  {
    what: 'the application goes on in the same log',
    ends: ['stop', 'SIGKILL'],
    act: (app) => app.add(700),
    expected: { kind: 'resumed' },
  },
  {
    // hazards H-1: Litestream 0.5.18 loses rows here, and integrity_check says ok.
    what: 'the application goes on, restarts the log, and writes less than before',
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      app.add(1500);
      app.db.pragma('wal_checkpoint(RESTART)');
      app.add(300);
    },
    expected: { kind: 'imaged', why: /the WAL has restarted|was written to since/ },
  },
  {
    what: 'the application restarts the log and writes more than before',
    ends: ['SIGKILL'],
    act: (app) => {
      app.add(300);
      app.db.pragma('wal_checkpoint(RESTART)');
      for (let i = 0; i < 3000; i++) app.add(1);
    },
    expected: { kind: 'imaged', why: /the WAL has restarted|was written to since/ },
  },
  {
    what: 'the log is truncated and nothing follows',
    ends: ['stop'],
    act: (app) => {
      app.add(100);
      app.db.pragma('wal_checkpoint(TRUNCATE)');
    },
    expected: { kind: 'imaged', why: /the WAL is missing or empty|was written to since/ },
  },
  {
    what: 'the application ends, and its log with it',
    ends: ['SIGKILL'],
    act: (app) => {
      app.add(100);
      app.close();
      expect(fs.existsSync(`${app.path}-wal`)).toBe(false);
    },
    expected: { kind: 'imaged', why: /the WAL is missing or empty|was written to since/ },
  },
  {
    what: 'the WAL is deleted with what was in it',
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      app.copy('kept');
      fs.rmSync(path.join(app.folder, 'kept-wal'));
      app.putBack('kept');
    },
    expected: { kind: 'imaged', why: /was replaced by another one/ },
  },
  {
    what: 'the database is replaced by another',
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      const other = new Database(path.join(app.folder, 'other'));
      other.pragma('journal_mode=wal');
      other.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE u(b)');
      other.exec("INSERT INTO t(a) VALUES('another database')");
      other.close();
      app.putBack('other');
    },
    expected: { kind: 'imaged', why: /was replaced by another one/ },
  },
  {
    what: 'the database is restored to an older state',
    ends: ['stop', 'SIGKILL'],
    act: (app) => app.putBack('older'),
    expected: { kind: 'imaged', why: /was replaced by another one/ },
  },
  {
    what: 'the database is restored to an older state, which goes on for longer than before',
    ends: ['SIGKILL'],
    act: (app) => {
      app.putBack('older');
      for (let i = 0; i < 200; i++) app.change(`${i}`);
    },
    expected: { kind: 'imaged', why: /was replaced by another one/ },
  },
  {
    what: 'the WAL is rolled back and the same last page is written again',
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      app.putBack('before-last');
      app.change('b'); // as many frames of the same pages as the change that was replicated
    },
    expected: { kind: 'imaged', why: /was replaced by another one/ },
  },
  {
    what: 'VACUUM, in the same log',
    ends: ['SIGKILL'],
    act: (app) => {
      app.db.exec('DELETE FROM t WHERE id % 2 = 0');
      app.db.exec('VACUUM');
    },
    expected: { kind: 'resumed' },
  },
  {
    what: 'VACUUM, and the log restarts',
    ends: ['stop'],
    act: (app) => {
      app.db.exec('DELETE FROM t WHERE id % 2 = 0');
      app.db.exec('VACUUM');
      app.db.pragma('wal_checkpoint(TRUNCATE)');
      app.add(1);
    },
    expected: { kind: 'imaged', why: /the WAL has restarted|was written to since/ },
  },
  ...([1024, 65536] as const).map((pageSize): Scene => ({
    what: `the page size becomes ${pageSize}`,
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      app.db.pragma('journal_mode=delete');
      app.db.pragma(`page_size=${pageSize}`);
      app.db.exec('VACUUM');
      app.db.pragma('journal_mode=wal');
      app.add(5);
    },
    expected: { kind: 'imaged', why: /the page size has changed/ },
  })),
  {
    what: 'the journal mode changes, and stays changed',
    ends: ['stop', 'SIGKILL'],
    act: (app) => {
      app.db.pragma('journal_mode=delete');
      app.add(100);
      app.close();
    },
    expected: { kind: 'imaged', why: /the WAL is missing or empty|was written to since/ },
  },
  {
    what: 'the journal mode changes and comes back',
    ends: ['SIGKILL'],
    act: (app) => {
      app.db.pragma('journal_mode=truncate');
      app.change('in the other mode');
      app.db.pragma('journal_mode=wal');
      app.add(10);
    },
    expected: { kind: 'imaged', why: /the WAL has restarted|was written to since/ },
  },
];

for (const { what, ends, act, expected } of SCENES) {
  test.for(ends)(`${what} (%s)`, async (end) => {
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
    if (expected.kind === 'imaged')
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

test('a database that has left WAL mode is switched back, and that is said once', async () => {
  const app = new App();
  app.db.pragma('journal_mode=delete');
  app.add(10);
  app.close();
  const sidecar = new Sidecar(app.replicatedTo('a'));
  await sidecar.settled();
  app.add(1);
  await sidecar.settled();
  const said = sidecar.messages.filter((message) => message.includes('switched to WAL'));
  expect(said).toHaveLength(1);
  expect(compare(await app.restored('a'), app.bytes())).toBe('equal');
});

test.for(['replaced', 'deleted and made anew'] as const)(
  'a database that is %s while it is followed gets an image',
  async (what) => {
    const app = new App();
    app.add(200);
    app.db.pragma('wal_checkpoint(TRUNCATE)');
    app.copy('early');
    const sidecar = new Sidecar(app.replicatedTo('a', 'b'));
    await sidecar.settled();
    app.add(300);
    const before = await sidecar.settled();
    const bytesBefore = app.bytes();
    app.putBack(what === 'replaced' ? 'early' : 'nothing of that name');
    if (what !== 'replaced') await sidecar.says(/^waiting: .* does not exist yet/);
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
