/** Databases start and stop one after the other, and what has failed stays known until it has succeeded. */

import type { Command, ReplicatedDatabase, Replicator } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import { afterEach, expect, test, vi } from 'vitest';
import type { DatabaseConfig } from '../../src/config/model.ts';
import { DatabaseSet } from '../../src/daemon/database-set.ts';
import { NO_CHANGES } from '../../src/daemon/diff.ts';
import { CancelledRestore } from '../../src/daemon/restore-missing.ts';

const PATH = '/data/app.db';
const CONFIG = { options: { path: PATH }, destinations: [] } as unknown as DatabaseConfig;
const log = (): void => undefined;

afterEach(() => {
  vi.useRealTimers();
});

interface Scene {
  readonly set: DatabaseSet;
  readonly commands: string[];
  /** The restores that were begun. */
  readonly restores: PromiseWithResolvers<void>[];
  /** Ends the last sync. */
  readonly endDrain: () => void;
  /** The commands of these kinds fail. */
  readonly failing: Set<string>;
}

/** A set whose replicator does nothing. `missing`: the database has to be restored. */
function newScene(missing: 'missing' | 'there', databases: readonly DatabaseConfig[]): Scene {
  const commands: string[] = [];
  const restores: PromiseWithResolvers<void>[] = [];
  const drained = Promise.withResolvers<void>();
  const failing = new Set<string>();
  const execute = async ({ kind }: Command): Promise<unknown> => {
    commands.push(kind);
    if (failing.has(kind)) throw new Error(`${kind} on purpose`);
    if (kind === 'drain') await drained.promise;
    return { state: 'following' };
  };
  const set = new DatabaseSet({
    replicator: { execute, database: () => ({ state: 'following' }) } as unknown as Replicator,
    databases,
    toReplicated: () => ({}) as ReplicatedDatabase,
    restoreMissing: (starting) => {
      if (missing === 'there') return new Map();
      return new Map(
        starting.map(({ options }) => {
          const restore = Promise.withResolvers<void>();
          restores.push(restore);
          return [options.path, restore.promise];
        }),
      );
    },
    release: async () => undefined,
    drain: () => ({ shutdownSyncTimeoutMs: 1, shutdownSyncIntervalMs: 1 }),
    logger: { debug: log, info: log, warn: log, error: log },
  });
  return { set, commands, restores, failing, endDrain: () => drained.resolve() };
}

test('a start during a stop starts the database again', async () => {
  const { set, commands, endDrain } = newScene('there', [CONFIG]);
  const stopping = set.stop(PATH);
  await vi.waitFor(() => expect(set.find(PATH)?.state).toBe('stopping'));
  const starting = set.start(PATH);
  await new Promise((resolve) => setImmediate(resolve));
  endDrain();
  await stopping;
  expect(await starting).toBe('started');
  expect(set.find(PATH)?.state).toBe('replicating');
  expect(commands.slice(0, 3)).toEqual(['drain', 'remove', 'add']);
});

test('a restore that has failed stays known while it is tried again', async () => {
  vi.useFakeTimers();
  const { set, restores } = newScene('missing', []);
  await set.change(async () => ({ ...NO_CHANGES, added: [CONFIG] }));
  expect(set.find(PATH)).toMatchObject({ state: 'replicating', error: undefined });
  restores[0]?.reject(new ReplicationError('STAGING_FAILED', 'it is damaged'));
  await vi.advanceTimersByTimeAsync(30_000);
  expect(restores).toHaveLength(2);
  expect(set.find(PATH)).toMatchObject({
    state: 'replicating',
    error: { code: 'STAGING_FAILED' },
  });
  restores[1]?.resolve();
  await vi.advanceTimersByTimeAsync(1);
  expect(set.find(PATH)).toMatchObject({ state: 'replicating', error: undefined });
});

test.each(['drain', 'remove'])('a stop whose %s fails can be repeated', async (kind) => {
  const { set, failing, endDrain } = newScene('there', [CONFIG]);
  endDrain();
  failing.add(kind);
  await expect(set.stop(PATH)).rejects.toThrow('on purpose');
  expect(set.find(PATH)?.state).toBe('replicating');
  await expect(set.remove(PATH)).rejects.toThrow('on purpose');
  expect(set.wanted).toEqual([CONFIG]);
  await expect(set.whileStopped(PATH, async () => undefined)).rejects.toThrow('on purpose');
  expect(set.find(PATH)?.state).toBe('replicating');
  failing.clear();
  await set.stop(PATH);
  expect(set.find(PATH)?.state).toBe('stopped');
});

test('a restore that a stop has cancelled is no failure', async () => {
  const { set, restores, endDrain } = newScene('missing', []);
  endDrain();
  await set.change(async () => ({ ...NO_CHANGES, added: [CONFIG] }));
  await set.stop(PATH);
  await set.start(PATH);
  restores[0]?.reject(new CancelledRestore('it was stopped'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(restores).toHaveLength(2);
  expect(set.find(PATH)).toMatchObject({ state: 'replicating', error: undefined });
});
