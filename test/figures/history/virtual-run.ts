/**
 * Core in virtual time, with one database and one bucket in memory: an hour of commits takes a minute. All
 * code of core runs; time, disk and network are those of the simulation, without faults.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { DEFAULT_LEVELS } from '../../../packages/core/src/history/levels.ts';
import { RETENTION_DEFAULTS } from '../../../packages/core/src/history/retention-policy.ts';
import { defaultMetaPath } from '../../../packages/core/src/replicate/replicate.ts';
import {
  DATABASE_DEFAULTS,
  type DatabaseOptions,
} from '../../../packages/core/src/database/options.ts';
import type { ReplicaClient } from '../../../packages/core/src/store/client.ts';
import { CORE_SRC } from '../../../packages/core/test/support/mutant.ts';
import { randomFrom, type Random } from '../../../packages/core/test/support/random.ts';
import { Replicator } from '../../simulation/actors/replicator.ts';
import { Bucket } from '../../simulation/ports/bucket.ts';
import { loadCore, type Core } from '../../simulation/ports/core.ts';
import { Disk } from '../../simulation/ports/disk.ts';
import { installConnections, SimulatedProcess } from '../../simulation/ports/process.ts';
import { installTimers, VirtualTime } from '../../simulation/ports/virtual-time.ts';
import { filesChanged, installWatches } from '../../simulation/ports/watches.ts';

/** Requests of S3 for the calls of a client. A listing has a request for each page. */
export interface Counted {
  put: number;
  get: number;
  list: number;
  delete: number;
  copy: number;
  sentBytes: number;
}

/** Whether the destination copies files itself. */
export type Copies = 'copies' | 'cannot copy';

const PAGE_FILES = 1_000;

const POLICY = {
  ...RETENTION_DEFAULTS,
  levels: DEFAULT_LEVELS,
  snapshotIntervalMs: DATABASE_DEFAULTS.snapshotIntervalMs,
};

let currentTime: VirtualTime | undefined;
let core: Promise<Core> | undefined;

/** Installs the virtual timers, once for this process. */
function prepare(): Promise<Core> {
  if (core === undefined) {
    installTimers(() => {
      if (currentTime === undefined) throw new Error('no run has begun');
      return currentTime;
    });
    installConnections();
    installWatches();
    core = loadCore(CORE_SRC);
  }
  return core;
}

export class VirtualRun {
  readonly time: VirtualTime;
  readonly bucket: Bucket;
  readonly database: Database.Database;
  readonly path: string;
  readonly problems: string[] = [];
  readonly #random: Random;
  readonly #application: SimulatedProcess;
  readonly #replicator: Replicator;
  #counted: Counted = nothing();

  private constructor(input: {
    core: Core;
    time: VirtualTime;
    random: Random;
    bucket: Bucket;
    disk: Disk;
    file: string;
    create: (database: Database.Database) => void;
    options: Partial<DatabaseOptions>;
    copies: Copies;
  }) {
    const { time, random, bucket, disk, file, create, options, copies } = input;
    this.time = time;
    this.bucket = bucket;
    this.path = file;
    this.#random = random;
    this.#application = new SimulatedProcess('application', time, random);
    this.database = this.#application.run(() => {
      const database = new Database(file, { timeout: 0 });
      database.pragma('journal_mode=wal');
      database.pragma('synchronous=OFF');
      create(database);
      return database;
    });
    const problem = (what: unknown): void => void this.problems.push(String(what));
    time.onError = problem;
    this.#replicator = new Replicator({
      core: input.core,
      time,
      random,
      disk,
      buckets: [bucket],
      options: { path: file, busyTimeoutMs: 1, ...options },
      wrappers: { client: (client) => this.#count(client, copies) },
      policy: POLICY,
      onLog: (level, message) => {
        if (level === 'warn' || level === 'error') problem(message);
      },
      onCrash: problem,
    });
    this.#replicator.start();
  }

  static async start(
    create: (database: Database.Database) => void,
    options: Partial<DatabaseOptions> = {},
    copies: Copies = 'copies',
  ): Promise<VirtualRun> {
    const loaded = await prepare();
    const time = new VirtualTime();
    currentTime = time;
    const random = randomFrom(1);
    const folder = fs.mkdtempSync(path.join(scratchFolder(), 'sluice-figures-'));
    const file = path.join(folder, 'app.db');
    const bucket = new Bucket('bucket', { core: loaded, time, random });
    const disk = new Disk(random, defaultMetaPath(file));
    await disk.prepare();
    const run = new VirtualRun({
      core: loaded,
      ...{ time, random, bucket, disk, file, create, options, copies },
    });
    await time.advance(60_000);
    return run;
  }

  /** Commits at a steady rate for so long. */
  async commit(forMs: number, everyMs: number, write: () => void): Promise<void> {
    const startMs = this.time.nowMs;
    for (let atMs = startMs; atMs < startMs + forMs; atMs += everyMs) {
      this.#application.run(write);
      filesChanged([this.path, `${this.path}-wal`], this.#random);
      await this.time.advance(atMs + everyMs - this.time.nowMs);
    }
    const [problem] = this.problems;
    if (problem !== undefined) throw new Error(`the replicator reports: ${problem}`);
  }

  /** Requests since the last call. */
  take(): Counted {
    const counted = this.#counted;
    this.#counted = nothing();
    return counted;
  }

  close(): void {
    this.#replicator.process.kill();
    this.#application.kill();
    fs.rmSync(path.dirname(this.path), { recursive: true, force: true });
  }

  #count(client: ReplicaClient, copies: Copies): ReplicaClient {
    const add = (kind: keyof Counted, amount = 1): void => void (this.#counted[kind] += amount);
    const counted: ReplicaClient = {
      name: client.name,
      layout: client.layout,
      capabilities: client.capabilities,
      async *list(prefix, options) {
        add('list');
        let entries = 0;
        for await (const entry of client.list(prefix, options)) {
          entries += 1;
          if (entries > 1 && entries % PAGE_FILES === 1) add('list');
          yield entry;
        }
      },
      get: (key, options) => {
        add('get');
        return client.get(key, options);
      },
      put: async (key, body, options) => {
        add('put');
        const put = await client.put(key, body, options);
        add('sentBytes', this.bucket.store.objects.get(key)?.bytes.length ?? 0);
        return put;
      },
      delete: (keys, options) => {
        add('delete');
        return client.delete(keys, options);
      },
      close: () => client.close(),
    };
    if (copies === 'cannot copy') return counted;
    return {
      ...counted,
      copy: (from, to, options) => {
        if (client.copy === undefined) throw new Error('the memory client can copy');
        add('copy');
        return client.copy(from, to, options);
      },
    };
  }
}

/** In memory where possible: this disk is not measured. */
function scratchFolder(): string {
  return fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
}

function nothing(): Counted {
  return { put: 0, get: 0, list: 0, delete: 0, copy: 0, sentBytes: 0 };
}
