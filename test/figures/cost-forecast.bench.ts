/**
 * Requests that a counting server sees, beside those that `sluice cost` forecasts from the same settings and
 * the same rate. Intervals are short, so that minutes show what a day does.
 */

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { startCountingProxy, type CountedRequests } from '../servers/counting-proxy.ts';
import { besideS3, inFolder, print, round, type Row, type S3Server } from './bench.ts';

const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
const MEASURED_MS = Number(process.env['SLUICE_BENCH_SECONDS'] ?? 120) * 1_000;
/** A whole number of snapshots. */
const SNAPSHOT_MS = MEASURED_MS / 4;
const COMMIT_MS = 250;
const LEVELS = ['2s', '5s', '10s'];
const PAGES = 1_000;
const HOURS_PER_MONTH = 730;
/** The forecast of requests must be this close. */
const PERCENT_MAX = 10;

interface Forecast {
  readonly requests_per_month: Readonly<Record<'put' | 'get' | 'list', number>>;
}

class Run {
  readonly #folder: string;
  readonly #database: string;
  readonly #s3: S3Server;
  readonly #config: string;
  readonly #db: Database.Database;

  constructor(folder: string, s3: S3Server, endpoint: string) {
    this.#folder = folder;
    this.#database = path.join(folder, 'app.db');
    this.#s3 = s3;
    this.#config = path.join(folder, 'sluice.yml');
    const levels = LEVELS.map((interval) => `{ interval: ${interval} }`).join(', ');
    const replica = `{ type: s3, bucket: ${s3.bucket}, path: app, endpoint: "${endpoint}" }`;
    fs.writeFileSync(
      this.#config,
      `levels: [${levels}]\nsnapshot: { interval: ${SNAPSHOT_MS}ms }\n` +
        `dbs:\n- path: ${this.#database}\n  replicas:\n  - ${replica}\n`,
    );
    this.#db = new Database(this.#database);
    this.#db.pragma('journal_mode=wal');
    this.#db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a)');
    const insert = this.#db.prepare('INSERT INTO t(a) VALUES(randomblob(4000))');
    this.#db.transaction(() => {
      for (let row = 0; row < PAGES; row++) insert.run();
    })();
  }

  get #environment(): NodeJS.ProcessEnv {
    const { accessKeyId, secretAccessKey } = this.#s3.credentials;
    return {
      ...process.env,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    };
  }

  replicate(): ChildProcess {
    const args = [CLI, 'replicate', '-config', this.#config];
    return spawn(process.execPath, args, { stdio: 'ignore', env: this.#environment });
  }

  /** Commits at a steady rate. Returns the number of commits an hour. */
  async write(durationMs: number): Promise<number> {
    const update = this.#db.prepare('UPDATE t SET a = randomblob(4000) WHERE id = ?');
    const start = performance.now();
    let commits = 0;
    for (; performance.now() - start < durationMs; commits++) {
      update.run(1 + Math.floor(Math.random() * PAGES));
      await sleep(Math.max(0, start + (commits + 1) * COMMIT_MS - performance.now()));
    }
    return commits / ((performance.now() - start) / 3_600_000);
  }

  forecast(commitsPerHour: number): Forecast {
    const flags = {
      'commits-per-hour': commitsPerHour.toFixed(0),
      'bytes-per-commit': '4KiB',
      'database-bytes': `${PAGES * 4}KiB`,
      levels: LEVELS.join(','),
      'snapshot-interval': `${SNAPSHOT_MS}ms`,
    };
    const words = Object.entries(flags).flatMap(([name, value]) => [`-${name}`, value]);
    const args = [CLI, 'cost', '-json', '-config', this.#config, ...words, this.#database];
    const text = execFileSync(process.execPath, args, { env: this.#environment, encoding: 'utf8' });
    return (JSON.parse(text) as [Forecast])[0];
  }

  close(): void {
    this.#db.close();
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Waits until the first full snapshot and the first levels are there. */
async function settled(take: () => CountedRequests): Promise<void> {
  while (take().put > 0) await sleep(2_000);
}

const { counted, expected } = await besideS3((s3) =>
  inFolder(async (folder) => {
    const proxy = await startCountingProxy(s3.endpoint);
    const run = new Run(folder, s3, proxy.endpoint);
    const replicator = run.replicate();
    try {
      await sleep(5_000);
      await settled(() => proxy.takeByKind());
      const before = run.write(10_000); // so that every level has begun
      await before;
      proxy.takeByKind();
      const rate = await run.write(MEASURED_MS);
      return { counted: proxy.takeByKind(), expected: run.forecast(rate) };
    } finally {
      const exited = once(replicator, 'exit');
      replicator.kill('SIGKILL');
      await exited;
      await proxy.stop();
      run.close();
    }
  }),
);

const hours = MEASURED_MS / 3_600_000;
const rows: Row[] = (['put', 'get', 'list'] as const).flatMap((kind) => {
  const forecast = (expected.requests_per_month[kind] / HOURS_PER_MONTH) * hours;
  const row = { unit: 'requests', ours: round(forecast, 0), lowerIsBetter: true };
  const rows: Row[] = [
    { ...row, what: `${kind.toUpperCase()}, forecast`, beside: { counted: counted[kind] } },
  ];
  if (kind !== 'put') return rows;
  const percent = Math.abs(forecast / counted.put - 1) * 100;
  const off = { unit: '%', ours: round(percent), bar: PERCENT_MAX, lowerIsBetter: true };
  return [...rows, { what: 'PUT, difference', ...off }];
});
print('cost-forecast', rows, `${MEASURED_MS / 1_000} s, levels of ${LEVELS.join(', ')}`);
