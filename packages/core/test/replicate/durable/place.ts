/** A database with destinations in memory that answer late, and count their writes. */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { onTestFinished, vi, expect } from 'vitest';
import { ReplicationError } from '../../../src/error.ts';
import {
  type DatabaseHandle,
  replicate,
  type Replicator,
} from '../../../src/replicate/replicate.ts';
import type { ReplicaTarget } from '../../../src/replicate/status/status.ts';
import { Replica } from '../../../src/replica/replica.ts';
import { restore } from '../../../src/restore/restore.ts';
import type { ReplicaClient } from '../../../src/store/client.ts';
import { parseKey } from '../../../src/store/layout.ts';
import { memoryClient } from '../../../src/store/memory.ts';
import { forward } from '../../../src/store/policy/forward.ts';
import { temporaryFolder } from '../../restore/temporary.ts';

export const ROUND_TRIP_MS = 30;
const LAYOUT = 'levels';
const WAIT = { timeout: 60_000, interval: 10 };

/** A destination. Writes take a round trip, and wait while `held` is set. */
export class Bucket {
  readonly name: string;
  readonly #inner = memoryClient({ layout: LAYOUT });
  /** Writes of level 0 that have begun. */
  puts = 0;
  roundTripMs = 0;
  /** Error of every write, while it is set. */
  failure: ReplicationError | undefined;
  #held: Promise<void> = Promise.resolve();
  #onPut: () => void = () => undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Writes do not return before the result is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    onTestFinished(() => resolve()); // a write that hangs delays the close
    return resolve;
  }

  /** Resolves when the next write has begun. */
  async nextPut(): Promise<void> {
    await new Promise<void>((resolve) => (this.#onPut = resolve));
  }

  get target(): ReplicaTarget {
    const { name } = this;
    const inner = forward(this.#inner);
    const client: ReplicaClient = {
      ...inner,
      put: async (key, body, options) => {
        if (parseKey(LAYOUT, 'db', key)?.level === 0) this.puts += 1;
        this.#onPut();
        await Promise.all([sleep(this.roundTripMs), this.#held]);
        options?.signal?.throwIfAborted();
        if (this.failure !== undefined) throw this.failure;
        return await inner.put(key, body, options);
      },
    };
    const replica = { client: new Replica(client, 'db'), capabilities: client.capabilities };
    return { name, type: 'memory', target: `memory://${name}`, open: async () => replica };
  }

  /** Deletes everything, as somebody else would. */
  async empty(): Promise<void> {
    const listed = await Array.fromAsync(this.#inner.list(''), ({ key }) => key);
    for (const key of listed) await this.#inner.delete([key]);
  }

  /** The values in the table of the database restored from this destination alone. */
  async restoredValues(): Promise<unknown[]> {
    const output = path.join(temporaryFolder(), 'restored.db');
    const sources = [{ name: this.name, client: new Replica(this.#inner, 'db') }];
    await restore({ sources, output, target: { kind: 'latest' } });
    const db = new Database(output, { readonly: true });
    try {
      return db.prepare('SELECT v FROM t ORDER BY rowid').pluck().all();
    } finally {
      db.close();
    }
  }
}

export interface Place {
  readonly file: string;
  readonly db: Database.Database;
  readonly replicator: Replicator;
  readonly database: DatabaseHandle;
  readonly insert: (value: string | number) => void;
}

/** Replicates a new database to the buckets, and waits until they have its first state. */
export async function startPlace(...buckets: readonly Bucket[]): Promise<Place> {
  const file = path.join(temporaryFolder(), 'app.db');
  const db = new Database(file);
  onTestFinished(() => void db.close());
  db.pragma('journal_mode=wal');
  db.exec('CREATE TABLE t(v)');
  const log = (): void => undefined;
  const replicator = await replicate({
    // Without the calls, a commit would not be cut for an hour once the burst is used up.
    databases: [
      { options: { path: file, syncIntervalMs: 3_600_000 }, targets: buckets.map(targetOf) },
    ],
    logger: { debug: log, info: log, warn: log, error: log },
    onCrash: (error) => {
      throw error;
    },
  });
  onTestFinished(async () => void (await replicator.close()));
  await vi.waitFor(() => {
    for (const { state } of replicator.status()[0]?.destinations ?? []) {
      expect(state).toBe('streaming');
    }
  }, WAIT);
  const statement = db.prepare('INSERT INTO t VALUES (?)');
  const insert: Place['insert'] = (value) => void statement.run(value);
  return { file, db, replicator, database: replicator.database(file), insert };
}

function targetOf({ target }: Bucket): Bucket['target'] {
  return target;
}

export function unavailable(): ReplicationError {
  return new ReplicationError('REPLICA_UNAVAILABLE', 'the server is down');
}
