/** Commands add, remove and control databases while a replicator runs. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Replica, type LTXFileInfo } from '../../src/replica/replica.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import {
  defaultMetaPath,
  replicate,
  type Commands,
  type ReplicatedDatabase,
  type Replicator,
} from '../../src/replicate/replicate.ts';
import { resetStaging } from '../../src/database/staging/reset.ts';
import { listAll } from '../../src/restore/plan/listing.ts';
import { restore } from '../../src/restore/restore.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const WAIT = { timeout: 60_000, interval: 20 };

interface Followed {
  readonly input: ReplicatedDatabase;
  readonly path: string;
  readonly db: Database.Database;
  files(): Promise<LTXFileInfo[]>;
  /** Rows of the database restored from its destination. */
  restoredRows(): Promise<unknown>;
}

function newDatabase(name: string): Followed {
  const folder = temporaryFolder();
  const file = path.join(folder, name);
  const db = new Database(file);
  onTestFinished(() => void db.close());
  db.pragma('journal_mode=wal');
  db.exec('CREATE TABLE t(v)');
  const store = new MemoryStore();
  const destination = memoryClient({ store });
  const client = new Replica(destination, name);
  const target = {
    name: 'memory',
    type: 'memory',
    target: `memory://${name}`,
    open: async () => ({ client, capabilities: destination.capabilities }),
  };
  return {
    path: file,
    db,
    input: { options: { path: file }, targets: [target] },
    files: () => listAll(client),
    async restoredRows() {
      const output = path.join(folder, 'restored.db');
      const sources = [{ name: 'memory', client }];
      await restore({ sources, output, target: { kind: 'latest' }, overwrite: 'replace' });
      const restored = new Database(output, { readonly: true });
      try {
        return restored.prepare('SELECT count(*) FROM t').pluck().get();
      } finally {
        restored.close();
      }
    },
  };
}

async function newReplicator(...databases: readonly Followed[]): Promise<Replicator> {
  const log = (): void => undefined;
  const replicator = await replicate({
    databases: databases.map(({ input }) => input),
    logger: { debug: log, info: log, warn: log, error: log },
    onCrash: (error) => {
      throw error;
    },
  });
  onTestFinished(async () => void (await replicator.close()));
  return replicator;
}

/** Waits until the destination of a database is current. */
async function streaming(replicator: Replicator, { path }: Followed): Promise<void> {
  await vi.waitFor(async () => {
    const { destinations, txid } = await replicator.execute({ kind: 'status', path });
    expect(destinations[0]).toMatchObject({ state: 'streaming', txid });
    expect(txid).toBeDefined();
    expect(replicator.database(path).state).toBe('following');
  }, WAIT);
}

test('a database is added, synced and removed while another continues', async () => {
  const [first, second] = [newDatabase('first.db'), newDatabase('second.db')];
  const replicator = await newReplicator(first);
  const added = await replicator.execute({ kind: 'add', database: second.input });
  expect(added).toMatchObject({ path: second.path, destinations: [{ name: 'memory' }] });
  expect(replicator.status().map(({ path }) => path)).toEqual([first.path, second.path]);
  await streaming(replicator, second);
  second.db.exec("INSERT INTO t VALUES ('a'), ('b')");
  const { txid } = await replicator.execute({ kind: 'sync', path: second.path });
  expect(txid).toBeGreaterThan(1n);
  await streaming(replicator, second);
  const removed = await replicator.execute({ kind: 'remove', path: second.path });
  expect(removed.state).toBe('ended');
  expect(await second.restoredRows()).toBe(2);
  expect(replicator.status().map(({ path }) => path)).toEqual([first.path]);
  await streaming(replicator, first);
  // It can be added again and resumes.
  await replicator.execute({ kind: 'add', database: second.input });
  await streaming(replicator, second);
  expect((await replicator.execute({ kind: 'status', path: second.path })).txid).toBe(
    txid?.toString(16).padStart(16, '0'),
  );
});

test('the state file says what a command did, if it is told to', async () => {
  const database = newDatabase('app.db');
  const replicator = await newReplicator(database);
  const { path: file, db } = database;
  const known = (): unknown =>
    JSON.parse(fs.readFileSync(path.join(defaultMetaPath(file), 'status.json'), 'utf8'));
  for (const value of ['a', 'b', 'c']) {
    db.exec(`INSERT INTO t VALUES ('${value}')`);
    await replicator.database(file).durable({ min: 1 });
    const said = await replicator.execute({ kind: 'status', path: file, write: true });
    const { txid, destinations } = said;
    expect(txid).toBeDefined();
    expect(destinations[0]?.txid).toBe(txid);
    expect(known()).toMatchObject({ txid, destinations: [{ txid, state: 'streaming' }] });
  }
});

test('a second name of a replicated file is refused', async () => {
  const database = newDatabase('app.db');
  const replicator = await newReplicator(database);
  await streaming(replicator, database);
  const folder = path.dirname(database.path);
  const names = [path.join(folder, 'hard.db'), path.join(folder, 'symbolic.db')] as const;
  fs.linkSync(database.path, names[0]);
  fs.symlinkSync(database.path, names[1]);
  for (const name of names) {
    const second = { ...newDatabase('other.db').input, options: { path: name } };
    const refused = { code: 'CONFIG_INVALID', message: expect.stringContaining(database.path) };
    await expect(replicator.execute({ kind: 'add', database: second })).rejects.toMatchObject(
      refused,
    );
    expect(fs.existsSync(defaultMetaPath(name))).toBe(false);
  }
  database.db.exec("INSERT INTO t VALUES ('a')");
  await streaming(replicator, database);
});

test('a snapshot is made on command', async () => {
  const database = newDatabase('app.db');
  const replicator = await newReplicator(database);
  await streaming(replicator, database);
  database.db.exec("INSERT INTO t VALUES ('a')");
  const { txid } = await replicator.execute({ kind: 'sync', path: database.path });
  const { snapshot } = await replicator.execute({ kind: 'snapshot', path: database.path });
  expect(snapshot).toBe('ordered');
  await vi.waitFor(async () => {
    const snapshots = (await database.files()).filter(({ level }) => level === 9);
    expect(snapshots.map(({ maxTXID }) => maxTXID)).toContain(txid);
  }, WAIT);
});

const DRAIN = { shutdownSyncTimeoutMs: 60_000, shutdownSyncIntervalMs: 20 };

test('a last sync of one database sends everything, and leaves the others alone', async () => {
  const [first, second] = [newDatabase('first.db'), newDatabase('second.db')];
  const replicator = await newReplicator(first, second);
  await streaming(replicator, second);
  second.db.exec("INSERT INTO t VALUES ('a'), ('b'), ('c')");
  const { path } = second;
  const report = await replicator.execute({ kind: 'drain', path, options: DRAIN });
  expect(report).toMatchObject({ path, healthy: true, destinations: [{ complete: 'complete' }] });
  await replicator.execute({ kind: 'remove', path });
  expect(await second.restoredRows()).toBe(3);
  await streaming(replicator, first);
});

test('a reset while it runs is refused; after a removal, a full snapshot with a higher TXID follows', async () => {
  const database = newDatabase('app.db');
  const { path } = database;
  const input = { folder: defaultMetaPath(path), database: path };
  expect(await resetStaging(input)).toEqual({ files: 0, bytes: 0 });
  const replicator = await newReplicator(database);
  await streaming(replicator, database);
  await expect(resetStaging(input)).rejects.toMatchObject({ code: 'STAGING_IN_USE' });
  database.db.exec("INSERT INTO t VALUES ('a')");
  await replicator.execute({ kind: 'drain', path, options: DRAIN });
  const { txid: before = '' } = await replicator.execute({ kind: 'remove', path });
  const counted = await resetStaging({ ...input, mode: 'count' });
  expect(counted.files).toBeGreaterThan(0);
  expect(await resetStaging(input)).toEqual(counted);
  expect(await resetStaging(input)).toEqual({ files: 0, bytes: 0 });
  await replicator.execute({ kind: 'add', database: database.input });
  await streaming(replicator, database);
  const { txid: after = '' } = await replicator.execute({ kind: 'status', path });
  expect(after > before).toBe(true);
  expect(await database.restoredRows()).toBe(1);
});

test.each<keyof Commands>(['remove', 'sync', 'snapshot', 'status'])(
  '%s rejects a database that is not followed, with its path',
  async (kind) => {
    const replicator = await newReplicator();
    const refused = replicator.execute({ kind, path: '/data/other.db' } as never);
    await expect(refused).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'this process does not replicate /data/other.db',
    });
  },
);

test('adding a database that this or another process follows is rejected', async () => {
  const database = newDatabase('app.db');
  const replicator = await newReplicator(database);
  await expect(replicator.execute({ kind: 'add', database: database.input })).rejects.toMatchObject(
    { code: 'CONFIG_INVALID' },
  );
  const other = await newReplicator();
  await expect(other.execute({ kind: 'add', database: database.input })).rejects.toMatchObject({
    code: 'STAGING_IN_USE',
  });
  expect(other.status()).toEqual([]);
});

test('a closed replicator rejects commands', async () => {
  const replicator = await newReplicator();
  expect(await replicator.close()).toBe('closed');
  const { input } = newDatabase('late.db');
  await expect(replicator.execute({ kind: 'add', database: input })).rejects.toMatchObject({
    code: 'REPLICA_CLOSED',
  });
});

test('a database that exists and waits for its restore is not called missing', async () => {
  const { db, input, path: file } = newDatabase('app.db');
  db.exec('INSERT INTO t VALUES (1)');
  const replicator = await newReplicator();
  const ready = new Promise<void>(() => undefined); // its destination does not answer
  await replicator.execute({ kind: 'add', database: { ...input, ready } });
  const options = { shutdownSyncTimeoutMs: 300, shutdownSyncIntervalMs: 50, absentMs: 60_000 };
  const { databases } = await replicator.drain(options);
  expect(databases).toMatchObject([
    { path: file, absence: undefined, healthy: false, problems: [{ stage: 'database' }] },
  ]);
  expect(databases[0]?.error?.code).toBe('DATABASE_BUSY');
});

test.each(['file', 'folder'])(
  'a last sync contains a database whose %s appeared after the last look',
  async (kind) => {
    const database = newDatabase('late.db');
    database.db.exec('INSERT INTO t VALUES (1)');
    database.db.close();
    const moved = kind === 'file' ? database.path : path.dirname(database.path);
    fs.renameSync(moved, `${moved}-away`);
    const replicator = await newReplicator();
    const { options, targets } = database.input;
    const hourMs = 3_600_000;
    const late = { ...options, monitorIntervalMs: hourMs, maxLagMs: 4 * hourMs };
    await replicator.execute({ kind: 'add', database: { options: late, targets } });
    const { path: at } = database;
    await vi.waitFor(async () => {
      const { state } = await replicator.execute({ kind: 'status', path: at });
      expect(state).toBe('waiting');
    }, WAIT);
    fs.renameSync(`${moved}-away`, moved);
    const { databases } = await replicator.drain({
      shutdownSyncTimeoutMs: 30_000,
      shutdownSyncIntervalMs: 500,
    });
    expect(databases[0]).toMatchObject({ absence: undefined, healthy: true });
    expect(databases[0]?.destinations[0]?.complete).toBe('complete');
    expect(await database.restoredRows()).toBe(1);
  },
);
