/** A replicator with stages that can be stalled, and its four health readings. */

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { CLIProcess, runProcess, type Ended } from '../../apps/cli/test/support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

export const MAX_LAG_MS = 2_000;
/** Time for taking the four readings on a busy machine. */
export const READING_MS = 4_000;
const PRELOAD = pathToFileURL(path.join(import.meta.dirname, 'freeze.mjs')).href;

export interface Readings {
  /** Health in `sluice status`, and its exit code. */
  readonly status: boolean;
  readonly exitCode: number | null;
  /** Of /status. */
  readonly served: number;
  readonly metric: string | undefined;
  readonly problems: readonly string[];
}

interface Row {
  readonly healthy: boolean;
  readonly replicator: string;
  readonly problems: readonly string[];
}

export const HEALTHY = { status: true, exitCode: 0, served: 200, metric: '1' };
export const UNHEALTHY = { status: false, exitCode: 3, served: 503, metric: '0' };

export class Scene {
  readonly folder = temporaryFolder('frozen');
  readonly data = path.join(this.folder, 'data');
  readonly database = path.join(this.data, 'app.db');
  readonly backup = path.join(this.folder, 'backup');
  readonly #freeze = path.join(this.folder, 'freeze');
  readonly #config = path.join(this.folder, 'sluice.yml');
  #replicator: CLIProcess | undefined;
  #origin = '';
  #app: Database.Database | undefined;

  constructor(keys = '') {
    for (const folder of [this.data, this.#freeze]) fs.mkdirSync(folder);
    fs.writeFileSync(
      this.#config,
      `addr: ":0"
max-lag: ${MAX_LAG_MS}ms
shutdown-sync-timeout: 1s
${keys}
dbs: [{ path: ${this.database}, replicas: [{ path: ${this.backup} }] }]
`,
    );
    const app = new Database(this.database);
    app.pragma('journal_mode = wal');
    app.exec('CREATE TABLE t (x)');
    this.#app = app;
    onTestFinished(() => this.closeApplication());
  }

  async start(more: { NODE_OPTIONS?: string } = {}): Promise<void> {
    const options = [more.NODE_OPTIONS ?? '', `--import ${PRELOAD}`].join(' ');
    const env = { ...more, FREEZE: this.#freeze, NODE_OPTIONS: options };
    this.#replicator = new CLIProcess(['replicate', '-config', this.#config], env);
    const [, origin] = await this.#replicator.says(/metrics at (http:\/\/127\.0\.0\.1:\d+)/);
    this.#origin = origin ?? '';
  }

  closeApplication(): void {
    this.#app?.close();
    this.#app = undefined;
  }

  commit(): void {
    this.#app?.exec('INSERT INTO t VALUES (randomblob(100))');
  }

  freeze(name: string, pattern = ''): void {
    fs.writeFileSync(path.join(this.#freeze, name), pattern);
  }

  thaw(name: string): void {
    fs.rmSync(path.join(this.#freeze, name));
  }

  /** Runs `sluice status`. */
  async status(): Promise<{ code: number | null; row: Row }> {
    const { code, stdout } = await runProcess(['status', '-config', this.#config, '-json']);
    const [row] = JSON.parse(stdout) as [Row];
    return { code, row };
  }

  async readings(): Promise<Readings> {
    const [status, served, metrics] = await Promise.all([
      this.status(),
      fetch(`${this.#origin}/status`),
      fetch(`${this.#origin}/metrics`).then((response) => response.text()),
    ]);
    const { databases } = (await served.json()) as {
      databases: { problems: { stage: string; message: string }[] }[];
    };
    return {
      status: status.row.healthy,
      exitCode: status.code,
      served: served.status,
      metric: /^sluice_db_healthy\{.*\} (\d)$/m.exec(metrics)?.[1],
      problems: [
        ...status.row.problems,
        ...databases.flatMap(({ problems }) => problems.map(({ stage }) => stage)),
      ],
    };
  }

  /**
   * Waits until all four readings match, and show a problem of `stage`: another stage may be late first. Makes commits
   * meanwhile.
   */
  async waitForAll(wanted: typeof HEALTHY, timeoutMs: number, stage?: string): Promise<Readings> {
    let last: Readings | undefined;
    const timer = setInterval(() => this.commit(), 100);
    try {
      const isMatch = async (): Promise<boolean> => {
        last = await this.readings();
        const { problems, ...found } = last;
        if (stage !== undefined && !problems.includes(stage)) return false;
        return isDeepStrictEqual(found, wanted);
      };
      await until('all readings match', isMatch, timeoutMs);
    } catch (error) {
      throw new Error(JSON.stringify(last, undefined, 2), { cause: error });
    } finally {
      clearInterval(timer);
    }
    if (last === undefined) throw new Error('no reading was taken');
    return last;
  }

  async ended(): Promise<void> {
    await this.#replicator?.ended();
  }

  /** Stops the replicator with SIGTERM. */
  async end(): Promise<Ended> {
    if (this.#replicator === undefined) throw new Error('the replicator was not started');
    this.#replicator.kill('SIGTERM');
    return await this.#replicator.ended();
  }

  kill(signal: NodeJS.Signals): void {
    this.#replicator?.kill(signal);
  }
}
