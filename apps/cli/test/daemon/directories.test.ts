/** What a directory has and the process does not replicate is known, so that it is not called healthy. */

import fs from 'node:fs';
import path from 'node:path';
import type { ReplicatedDatabase, Replicator } from '@sluice/core';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Examined } from '../../src/config/examine.ts';
import { withFound } from '../../src/config/scan.ts';
import { DatabaseSet } from '../../src/daemon/database-set.ts';
import { Directories } from '../../src/daemon/directories.ts';
import { readText } from '../support/configuration.ts';
import { temporaryFolder } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 120_000 });

const WAIT = { timeout: 60_000, interval: 50 };
const log = (): void => undefined;

interface Scene {
  readonly dir: string;
  readonly databases: DatabaseSet;
  /** What is in each file, by its name. Default: a database. */
  readonly contents: Map<string, Examined>;
  /** Each `add` waits for it. */
  readonly added: PromiseWithResolvers<void>;
  /** Each last sync waits for it. */
  readonly drained: PromiseWithResolvers<void>;
  readonly start: () => Promise<Directories>;
  /** The paths outside, below the directory, and what is wrong with them. */
  readonly outside: () => (readonly [string, string | undefined])[];
}

async function newScene(...names: readonly string[]): Promise<Scene> {
  const dir = path.join(temporaryFolder(), 'data');
  fs.mkdirSync(dir);
  for (const name of names) fs.writeFileSync(path.join(dir, name), 'it is replaced by a test');
  const replica = `replica: { path: ${temporaryFolder()} }`;
  let read = await readText(`dbs: [{ dir: ${dir}, pattern: '*.db', ${replica} }]`);
  const contents = new Map<string, Examined>();
  const added = Promise.withResolvers<void>();
  const drained = Promise.withResolvers<void>();
  const execute = async ({ kind }: { readonly kind: string }): Promise<unknown> => {
    if (kind === 'add') await added.promise;
    if (kind === 'drain') await drained.promise;
    return { state: 'following', destinations: [] };
  };
  const logger = { debug: log, info: log, warn: log, error: log };
  const databases = new DatabaseSet({
    replicator: { execute, database: () => ({ state: 'following' }) } as unknown as Replicator,
    databases: [],
    toReplicated: () => ({}) as ReplicatedDatabase,
    restoreMissing: () => new Map(),
    release: async () => undefined,
    drain: () => ({ shutdownSyncTimeoutMs: 1, shutdownSyncIntervalMs: 1 }),
    logger,
  });
  const examine = async (files: readonly string[]): Promise<readonly Examined[]> =>
    files.map((file) => contents.get(path.basename(file)) ?? 'database');
  let directories: Directories | undefined;
  onTestFinished(async () => {
    added.resolve();
    drained.resolve();
    await directories?.close();
  });
  return {
    ...{ dir, databases, contents, added, drained },
    start: async () => {
      read = await withFound(read, { examine });
      directories = new Directories({ databases, config: () => read, examine, logger });
      directories.start(read.databases);
      return directories;
    },
    outside: () =>
      (directories?.outside ?? []).map(({ config, error }) => {
        return [path.relative(dir, config.options.path), error?.message] as const;
      }),
  };
}

test('databases that wait to be added are known', async () => {
  const names = Array.from({ length: 70 }, (_, index) => `${index + 100}.db`);
  const { databases, added, start, outside } = await newScene(...names);
  await start();
  const known = (): number => databases.all.length + outside().length;
  expect(known()).toBe(70);
  await expect.poll(() => databases.all.length, WAIT).toBe(64);
  expect(known()).toBe(70);
  added.resolve();
  await expect.poll(() => databases.replicated.length, WAIT).toBe(70);
  expect(outside()).toEqual([]);
});

test('a database that a command has unregistered is not waited for', async () => {
  const { dir, databases, added, drained, start, outside } = await newScene('a.db');
  added.resolve();
  drained.resolve();
  const directories = await start();
  await directories.looked();
  await databases.unregister(path.join(dir, 'a.db'));
  expect(databases.all).toEqual([]);
  expect(outside()).toEqual([]);
});

test('a directory that cannot be searched is known until it can', async () => {
  const { dir, databases, added, start, outside } = await newScene('a.db');
  added.resolve();
  fs.renameSync(dir, `${dir}-away`);
  await start();
  expect(outside()).toEqual([['', expect.stringMatching(/cannot be looked for: .*ENOENT/)]]);
  fs.renameSync(`${dir}-away`, dir);
  await expect.poll(() => databases.replicated.length, WAIT).toBe(1);
  expect(outside()).toEqual([]);
});

test('a file that cannot be read is known, and is looked into again although it stays the same', async () => {
  const { databases, added, contents, start, outside } = await newScene('a.db', 'b.db');
  added.resolve();
  contents.set('b.db', { why: 'it cannot be read: EACCES', isUnreadable: true });
  await start();
  expect(outside()).toContainEqual(['b.db', 'it cannot be read: EACCES']);
  await expect.poll(() => databases.replicated.length, WAIT).toBe(1);
  expect(outside()).toEqual([['b.db', 'it cannot be read: EACCES']]);
  contents.delete('b.db');
  await expect.poll(() => databases.replicated.length, WAIT).toBe(2);
  expect(outside()).toEqual([]);
});

test('a file that is no database is no problem', async () => {
  const { databases, added, contents, start, outside } = await newScene('a.db', 'b.db');
  added.resolve();
  contents.set('b.db', { why: 'it is not a SQLite database, or is encrypted' });
  const directories = await start();
  await expect.poll(() => databases.replicated.length, WAIT).toBe(1);
  await directories.looked();
  expect(outside()).toEqual([]);
});

test('of two names of one file, one is replicated, also if both were there at the start', async () => {
  const { dir, databases, added, start, outside } = await newScene('a.db');
  added.resolve();
  fs.linkSync(path.join(dir, 'a.db'), path.join(dir, 'b.db'));
  const directories = await start();
  await directories.looked();
  expect(databases.replicated.map(({ options }) => options.path)).toEqual([path.join(dir, 'a.db')]);
  expect(outside()).toEqual([]);
});

test('the last sync of a removed database delays only its new name', async () => {
  const { dir, databases, added, drained, start } = await newScene('a.db', 'gone.db');
  const at = (name: string): string => path.join(dir, name);
  const stateOf = (name: string): string | undefined => databases.find(at(name))?.state;
  added.resolve();
  await start();
  await expect.poll(() => databases.replicated.length, WAIT).toBe(2);
  fs.renameSync(at('a.db'), at('renamed.db'));
  fs.renameSync(at('gone.db'), `${dir}-gone.db`); // its inode is not used again
  await expect
    .poll(() => [stateOf('a.db'), stateOf('gone.db')], WAIT)
    .toEqual(['stopping', 'stopping']);
  fs.writeFileSync(at('c.db'), 'it is replaced by a test');
  await expect.poll(() => stateOf('c.db'), WAIT).toBe('replicating');
  expect(stateOf('a.db')).toBe('stopping');
  expect(stateOf('renamed.db')).toBeUndefined();
  drained.resolve();
  await expect.poll(() => stateOf('renamed.db'), WAIT).toBe('replicating');
  await expect.poll(() => databases.all.length, WAIT).toBe(2);
});

test('a pattern that means none of the databases there is known until it means one', async () => {
  const { dir, databases, added, start, outside } = await newScene('a.sqlite', 'b.txt');
  added.resolve();
  const directories = await start();
  const wrong = ['', expect.stringMatching(/pattern \*\.db, and a\.sqlite is a database/)];
  expect(outside()).toEqual([wrong]);
  await directories.looked();
  expect(outside()).toEqual([wrong]);
  fs.renameSync(path.join(dir, 'b.txt'), path.join(dir, 'b.db'));
  await expect.poll(() => databases.replicated.length, WAIT).toBe(1);
  expect(outside()).toEqual([]);
});
