/** What databases cost that nothing is committed to. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { Replica } from '../../src/replica/replica.ts';
import { replicate, type ReplicatedDatabase } from '../../src/replicate/replicate.ts';
import type { ReplicaClient } from '../../src/store/client.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const DATABASES = 24;
const WAIT = { timeout: 120_000, interval: 100 };
const HEARTBEATS = 3;
/** Four heartbeats. */
const MAX_LAG_MS = 12_000;

/** Descriptors of this process for files in a folder. */
function descriptors(folder: string): string[] {
  return fs.readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const file = fs.readlinkSync(`/proc/self/fd/${fd}`);
      return file.startsWith(folder) ? [path.basename(file)] : [];
    } catch {
      return []; // closed meanwhile
    }
  });
}

interface Scene {
  readonly folder: string;
  readonly databases: readonly ReplicatedDatabase[];
  /** Number of calls of destinations since the last time. */
  readonly takeCalls: () => number;
}

function scene(): Scene {
  const folder = temporaryFolder();
  let calls = 0;
  const counted = (client: ReplicaClient): ReplicaClient =>
    new Proxy(client, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          calls += 1;
          return Reflect.apply(value, target, args);
        };
      },
    });
  const databases = Array.from({ length: DATABASES }, (_, index): ReplicatedDatabase => {
    const file = path.join(folder, `${index}.db`);
    const db = new Database(file);
    db.exec('PRAGMA journal_mode = wal; CREATE TABLE t (x); INSERT INTO t VALUES (1)');
    db.close();
    const targets = ['a', 'b'].map((name) => {
      const client = counted(memoryClient({ store: new MemoryStore() }));
      const replica = new Replica(client, name);
      const { capabilities } = client;
      const target = `memory://${name}/${index}`;
      return {
        name,
        type: 'memory',
        target,
        open: async () => ({ client: replica, capabilities }),
      };
    });
    const options = { path: file, idleCloseMs: 200, maxLagMs: MAX_LAG_MS, levels: [] };
    return { options, targets };
  });
  const takeCalls = (): number => {
    const taken = calls;
    calls = 0;
    return taken;
  };
  return { folder, databases, takeCalls };
}

test.runIf(process.platform === 'linux')(
  'an idle database has one descriptor, sends nothing, and does not rewrite its state file',
  { timeout: 2 * WAIT.timeout },
  async () => {
    const { folder, databases, takeCalls } = scene();
    const log = (): void => undefined;
    const logger = { debug: log, info: log, warn: log, error: log };
    const replicator = await replicate({
      databases,
      logger,
      onCrash: (error) => expect.unreachable(String(error)),
    });
    onTestFinished(async () => void (await replicator.close()));
    await expect
      .poll(
        () =>
          replicator
            .status()
            .filter(({ destinations }) => destinations.every(({ txid }) => txid !== undefined))
            .length,
        WAIT,
      )
      .toBe(DATABASES);
    await expect
      .poll(() => descriptors(folder).sort(), WAIT)
      .toEqual(Array(DATABASES).fill('lock'));
    const files = databases.map(({ options: { path: file } }) =>
      path.join(folder, `.${path.basename(file)}-sluice`, 'status.json'),
    );
    const inodes = (): number[] => files.map((file) => fs.statSync(file).ino);
    const times = (): number[] => files.map((file) => fs.statSync(file).mtimeMs);
    // Until the last status after the close is written.
    let known = inodes();
    let since = times();
    await expect
      .poll(() => {
        const [before, now] = [known, inodes()];
        if (before.some((inode, index) => inode !== now[index])) since = times();
        known = now;
        const heartbeats = times().map(
          (at, index) => (at - (since[index] ?? 0)) / (MAX_LAG_MS / 4),
        );
        return Math.min(...heartbeats);
      }, WAIT)
      .toBeGreaterThan(HEARTBEATS);
    takeCalls();
    since = times();
    await expect.poll(() => Math.min(...times()) > Math.max(...since), WAIT).toBe(true);
    expect(takeCalls()).toBe(0);
  },
);
