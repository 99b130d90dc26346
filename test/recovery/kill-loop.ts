/**
 * Rounds of SIGKILL: a writer with a ledger, checkpoints of every mode, a replicator (sometimes the
 * writer too) killed at random moments. After each kill every destination is restored alone, before
 * the next start: what was reported is there, nothing is that never was. Every EPOCH_ROUNDS rounds a
 * new database with another page size begins, so that disks stay small.
 */

import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomFrom, type Random } from '../../packages/core/test/support/random.ts';
import { judge, judgeFile, type Reported } from './judge.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const CORE = path.resolve(HERE, '../../packages/core/dist');
const EPOCH_ROUNDS = 40;
const PAGE_SIZES = [512, 1024, 4096, 8192] as const;
/** A report that is younger than this at the kill says that replication was going on. */
const FRESH_MS = 2_000;
const FIRST_REPORT_MS_MAX = 5_000;

export interface KillLoopOptions {
  readonly seed: number;
  readonly rounds: number;
  /** Core's code: `dist` of this repository, or `src` of a copy with a planted error. */
  readonly src?: string | undefined;
  /** Litestream's binary in our place. */
  readonly rival?: string | undefined;
  readonly onRound?: ((round: number, text: string) => void) | undefined;
}

export interface KillLoopReport {
  readonly broken: { readonly round: number; readonly why: string } | undefined;
  readonly rounds: number;
  readonly freshShare: number;
  /** Starts that found a WAL, and how many of them went on without an image. */
  readonly survivedStarts: number;
  readonly resumedStarts: number;
  readonly rows: number;
}

export async function killLoop(options: KillLoopOptions): Promise<KillLoopReport> {
  const random = randomFrom(options.seed);
  const sums = { fresh: 0, judged: 0, survived: 0, resumed: 0, rows: 0 };
  for (let round = 1; round <= options.rounds;) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-kill-'));
    const epoch = new Epoch(folder, options, random);
    try {
      for (let n = 0; n < EPOCH_ROUNDS && round <= options.rounds; n++, round++) {
        const why = await epoch.round();
        options.onRound?.(round, why ?? 'holds');
        if (why !== undefined) return toReport({ round, why }, round, sums, epoch);
      }
    } finally {
      await epoch.end();
      sums.fresh += epoch.fresh;
      sums.judged += epoch.rounds;
      sums.survived += epoch.survived;
      sums.resumed += epoch.resumed;
      sums.rows += epoch.tried();
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }
  return toReport(undefined, options.rounds, sums, undefined);
}

function toReport(
  broken: KillLoopReport['broken'],
  rounds: number,
  sums: { fresh: number; judged: number; survived: number; resumed: number; rows: number },
  last: Epoch | undefined,
): KillLoopReport {
  const judged = sums.judged + (last?.rounds ?? 0);
  return {
    broken,
    rounds,
    freshShare: judged === 0 ? 0 : (sums.fresh + (last?.fresh ?? 0)) / judged,
    survivedStarts: sums.survived + (last?.survived ?? 0),
    resumedStarts: sums.resumed + (last?.resumed ?? 0),
    rows: sums.rows,
  };
}

class Epoch {
  readonly #options: KillLoopOptions;
  readonly #random: Random;
  readonly #folder: string;
  readonly #database: string;
  readonly #tried: string;
  readonly #pageSize: string;
  #writer: ChildProcess | undefined;
  fresh = 0;
  rounds = 0;
  survived = 0;
  resumed = 0;

  constructor(folder: string, options: KillLoopOptions, random: Random) {
    this.#folder = folder;
    this.#options = options;
    this.#random = random;
    this.#database = path.join(folder, 'app.db');
    this.#tried = path.join(folder, 'tried');
    this.#pageSize = String(random.pick(PAGE_SIZES));
  }

  async round(): Promise<string | undefined> {
    const random = this.#random;
    this.rounds += 1;
    const isFirst = this.rounds > 1 && random.chance(0.6); // as a sidecar that is up before the application
    if (!isFirst) await this.#startWriter();
    const reportFile = path.join(this.#folder, `report-${this.rounds}`);
    const hasSurvived = this.rounds > 1 && this.#readSalts() !== '';
    const replicator = await this.#startReplicator(reportFile);
    if (isFirst) await sleep(random.int(0, 600));
    await this.#startWriter();
    if (random.chance(0.7)) await this.#firstReport(reportFile);
    await sleep(random.int(50, 1000));
    const writerDies = random.next();
    if (writerDies < 0.3) await this.#killWriter();
    const killedAt = Date.now();
    const both = writerDies < 0.75 ? [kill(replicator), this.#killWriter()] : [kill(replicator)];
    await Promise.all(both);
    const events = readEvents(reportFile);
    if (hasSurvived) {
      this.survived += 1;
      if (events.some(({ message = '' }) => message.startsWith('going on after'))) this.resumed += 1;
    }
    const failure = events.find((event) => event.kind === 'error');
    if (failure !== undefined) return `the replicator said: ${failure.message ?? ''}`;
    const why = await this.#judgeAll(events, killedAt);
    if (random.chance(0.4)) await sleep(random.int(0, 300)); // the application goes on alone
    return why;
  }

  tried(): number {
    if (!fs.existsSync(this.#tried)) return 0;
    return Number(fs.readFileSync(this.#tried, 'utf8').trim().split('\n').at(-1) ?? 0);
  }

  async end(): Promise<void> {
    await this.#killWriter();
  }

  async #judgeAll(events: readonly HostEvent[], killedAt: number): Promise<string | undefined> {
    if (this.#options.rival !== undefined) return this.#judgeRival(this.#options.rival);
    let isFresh = true;
    for (const [index, folder] of this.#destinations().entries()) {
      const reported = lastReported(events, index);
      const known = reported ?? this.#before.get(index);
      if (known === undefined || killedAt - known.at > FRESH_MS) isFresh = false;
      if (reported !== undefined) this.#before.set(index, reported);
      const output = path.join(this.#folder, 'restored.db');
      const why = await judge({ folder, output, reported: known, tried: this.tried() });
      if (why !== undefined) return `destination ${index}: ${why}`;
    }
    if (isFresh) this.fresh += 1;
    return undefined;
  }

  readonly #before = new Map<number, Reported>();

  #judgeRival(binary: string): string | undefined {
    const [folder = ''] = this.#destinations();
    const output = path.join(this.#folder, 'restored.db');
    fs.rmSync(output, { force: true });
    const env = { ...process.env };
    delete env['AWS_CA_BUNDLE'];
    const args = ['restore', '-o', output, `file://${folder}`];
    const result = spawnSync(binary, args, { encoding: 'utf8', env });
    if (result.status !== 0) {
      const text = `${result.stdout}${result.stderr}`;
      return /no matching backup|not found|no such file/i.test(text)
        ? undefined
        : text.trim().slice(-300);
    }
    return judgeFile({ folder, output, reported: undefined, tried: this.tried() });
  }

  #destinations(): string[] {
    return ['a', 'b'].map((name) => path.join(this.#folder, name));
  }

  async #startReplicator(reportFile: string): Promise<ChildProcess> {
    const { rival, src = CORE } = this.#options;
    if (rival !== undefined) return this.#startRival(rival);
    const args = [src, this.#database, reportFile, ...this.#destinations()];
    return fork(path.join(HERE, 'replicator-host.ts'), args);
  }

  #startRival(binary: string): ChildProcess {
    const config = path.join(this.#folder, 'litestream.yml');
    const [bucket] = this.#destinations();
    fs.writeFileSync(
      config,
      `dbs:\n- path: ${this.#database}\n  monitor-interval: 50ms\n  replica:\n    type: file\n    path: ${bucket}\n    sync-interval: 50ms\n`,
    );
    return spawn(binary, ['replicate', '-config', config], { stdio: 'ignore' });
  }

  async #startWriter(): Promise<void> {
    if (this.#writer !== undefined) return;
    const seed = String(this.#random.int(0, 2 ** 31));
    const args = [this.#database, this.#tried, seed, this.#pageSize];
    const writer = fork(path.join(HERE, 'ledger-writer.mjs'), args);
    this.#writer = writer;
    await once(writer, 'message');
  }

  /** Until it says that something is replicated; or not, where it is busy or a rival. */
  async #firstReport(file: string): Promise<void> {
    const deadline = Date.now() + FIRST_REPORT_MS_MAX;
    while (Date.now() < deadline && this.#options.rival === undefined) {
      if (readEvents(file).some(({ kind }) => kind === 'replicated')) return;
      await sleep(20);
    }
  }

  async #killWriter(): Promise<void> {
    if (this.#writer !== undefined) await kill(this.#writer);
    this.#writer = undefined;
  }

  /** Which log lies there: its salts, or nothing. Reading a WAL drops no lock. */
  #readSalts(): string {
    const wal = `${this.#database}-wal`;
    if (!fs.existsSync(wal)) return '';
    const bytes = Buffer.alloc(24);
    const fd = fs.openSync(wal, 'r');
    const length = fs.readSync(fd, bytes, 0, bytes.length, 0);
    fs.closeSync(fd);
    return length < bytes.length ? '' : bytes.subarray(16).toString('hex');
  }
}

interface HostEvent {
  readonly kind: 'log' | 'error' | 'replicated';
  readonly message?: string;
  readonly destination?: number;
  readonly txid?: string;
  readonly row?: number;
  readonly at?: number;
}

function readEvents(file: string): HostEvent[] {
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as HostEvent);
}

function lastReported(events: readonly HostEvent[], destination: number): Reported | undefined {
  const last = events.findLast(
    (event) => event.kind === 'replicated' && event.destination === destination,
  );
  if (last?.txid === undefined || last.row === undefined || last.at === undefined) return undefined;
  return { txid: BigInt(last.txid), row: last.row, at: last.at };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
