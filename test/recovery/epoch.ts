/**
 * One database through some rounds of SIGKILL: an application with a ledger, a replicator with two
 * destinations, and what becomes of them between one start and the next.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Random } from '../../packages/core/test/support/random.ts';
import { beginningOf, lastReported, readEvents, type HostEvent, type Reported } from './events.ts';
import type { Fault } from './faults.ts';
import { crossCheck, judge, judgeFile, type JudgeInput } from './judge.ts';
import type { HostArguments } from './replicator-host.ts';
import { isNothingThere, restoreWithLitestream, startLitestream } from './rival.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const CORE = path.resolve(HERE, '../../packages/core/dist');
const PAGE_SIZES = [512, 1024, 4096, 8192] as const;
const DAY_MS = 24 * 3_600_000;
const FIRST_REPORT_MS_MAX = 10_000;
/** A rival reports nothing: it is given this to begin. */
const RIVAL_MS = 400;
/** Rounds in which what we restore is compared with what Litestream restores. */
const CROSS_CHECKS = 0.1;

export interface EpochOptions {
  /** Core's code: `dist` of this repository, or `src` of a copy with a planted error. */
  readonly src?: string | undefined;
  /** Litestream's binary in our place. */
  readonly rival?: string | undefined;
  /** Litestream's binary to compare restores with. */
  readonly crossCheck?: string | undefined;
}

export interface RoundReport {
  readonly broken: string | undefined;
  /** Age of the last report at the kill, of the oldest such report among sound destinations. */
  readonly reportAgeMs: number;
  /** How the start went on that found a log with frames; undefined where there was none. */
  readonly beginning: string | undefined;
}

export class Epoch {
  readonly #options: EpochOptions;
  readonly #random: Random;
  readonly #folder: string;
  readonly #database: string;
  readonly #tried: string;
  readonly #pageSize: string;
  readonly #settings: HostArguments['options'];
  readonly #destinations: HostArguments['destinations'];
  readonly #reported = new Map<number, Reported>();
  #writer: ChildProcess | undefined;
  #replicator: ChildProcess | undefined;
  #round = 0;

  constructor(folder: string, options: EpochOptions, random: Random) {
    this.#folder = folder;
    this.#options = options;
    this.#random = random;
    this.#database = path.join(folder, 'app.db');
    this.#tried = path.join(folder, 'tried');
    this.#pageSize = String(random.pick(PAGE_SIZES));
    this.#settings = {
      syncIntervalMs: random.pick([50, 200, 1_000]),
      snapshotIntervalMs: random.pick([1_000, DAY_MS]),
      stagingMaxBytes: random.pick([400_000, 1_000_000_000]),
      minCheckpointPageCount: random.pick([50, 1_000]),
      pageEncoding: random.pick(['block', 'frame']),
    };
    const fault: Fault = random.pick(['none', 'none', 'slow', 'failing']);
    this.#destinations = [
      { folder: path.join(folder, 'a'), fault: 'none' },
      { folder: path.join(folder, 'b'), fault },
    ];
  }

  async round(): Promise<RoundReport> {
    const random = this.#random;
    this.#round += 1;
    const reportFile = path.join(this.#folder, `report-${this.#round}`);
    await this.#application();
    const hasSurvived = this.#round > 1 && this.#hasLog();
    this.#startReplicator(reportFile);
    await sleep(this.#writer === undefined ? random.int(0, 600) : 0); // it may come up alone, first
    await this.#startWriter();
    if (random.chance(0.92)) await this.#firstReport(reportFile);
    await sleep(random.int(0, 1000));
    if (random.chance(0.15)) {
      await this.#killWriter();
      await sleep(random.int(0, 200));
    }
    const killedAt = Date.now();
    const dying = [this.#killReplicator()];
    if (random.chance(0.65)) dying.push(this.#killWriter());
    await Promise.all(dying);
    const events = readEvents(reportFile);
    const reportAgeMs = this.#note(events, killedAt);
    const failure = events.find((event) => event.kind === 'error');
    const broken =
      failure === undefined ? await this.#judgeAll() : `the replicator said: ${failure.message}`;
    return { broken, reportAgeMs, beginning: hasSurvived ? beginningOf(events) : undefined };
  }

  async end(): Promise<void> {
    await Promise.all([this.#killReplicator(), this.#killWriter()]);
  }

  // --- what happens in a round ------------------------------------------------------------------

  /** Before the replicator starts: the application goes on alone, or not at all. */
  async #application(): Promise<void> {
    const random = this.#random;
    const isAlone = this.#round === 1 || random.chance(this.#writer === undefined ? 0.15 : 0.4);
    if (!isAlone) return;
    await this.#startWriter();
    await sleep(random.int(0, 400));
    if (random.chance(0.7)) this.#writer?.send(random.pick(['RESTART', 'TRUNCATE', 'FULL']));
    await sleep(random.int(0, 100));
    if (this.#round > 1 && random.chance(0.2)) await this.#killWriter();
  }

  async #startWriter(): Promise<void> {
    if (this.#writer !== undefined) return;
    const seed = String(this.#random.int(0, 2 ** 31));
    const args = [this.#database, this.#tried, seed, this.#pageSize];
    const writer = fork(path.join(HERE, 'ledger-writer.mjs'), args);
    writer.on('exit', (code) => {
      if (code !== null) throw new Error(`the writer ended with ${code}`);
    });
    this.#writer = writer;
    await once(writer, 'message');
  }

  #startReplicator(reportFile: string): void {
    const { rival, src: code = CORE } = this.#options;
    if (rival !== undefined) {
      const [at] = this.#destinations;
      this.#replicator = startLitestream(rival, this.#database, at?.folder ?? '');
      return;
    }
    const host: HostArguments = {
      code,
      database: this.#database,
      options: this.#settings,
      reportFile,
      destinations: this.#destinations,
    };
    this.#replicator = fork(path.join(HERE, 'replicator-host.ts'), [JSON.stringify(host)]);
  }

  /** Until every sound destination has been reported of; or not, where that takes too long. */
  async #firstReport(file: string): Promise<void> {
    if (this.#options.rival !== undefined) {
      await sleep(RIVAL_MS);
      return;
    }
    const deadline = Date.now() + FIRST_REPORT_MS_MAX;
    const sound = this.#sound();
    while (Date.now() < deadline) {
      const events = readEvents(file);
      if (events.some(({ kind }) => kind === 'error')) return;
      if (sound.every((index) => lastReported(events, index) !== undefined)) return;
      await sleep(20);
    }
  }

  async #killWriter(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    await kill(writer);
  }

  async #killReplicator(): Promise<void> {
    const replicator = this.#replicator;
    this.#replicator = undefined;
    await kill(replicator);
  }

  // --- what is said of it -----------------------------------------------------------------------

  /** Keeps the last report of each destination. Gives the age of the oldest one of a sound one. */
  #note(events: readonly HostEvent[], killedAt: number): number {
    for (const index of this.#destinations.keys()) {
      const reported = lastReported(events, index);
      if (reported !== undefined) this.#reported.set(index, reported);
    }
    return Math.max(
      ...this.#sound().map((index) => killedAt - (this.#reported.get(index)?.at ?? 0)),
    );
  }

  #sound(): number[] {
    return [...this.#destinations.keys()].filter(
      (index) => this.#destinations[index]?.fault === 'none',
    );
  }

  async #judgeAll(): Promise<string | undefined> {
    const tried = this.#readTried();
    const { rival, crossCheck: binary } = this.#options;
    if (rival !== undefined) return this.#judgeRival(rival, tried);
    for (const [index, { folder }] of this.#destinations.entries()) {
      const output = path.join(this.#folder, `restored-${index}.db`);
      const input: JudgeInput = { folder, output, reported: this.#reported.get(index), tried };
      let why = await judge(input);
      if (why === undefined && binary !== undefined && this.#random.chance(CROSS_CHECKS)) {
        why = crossCheck(binary, input);
      }
      if (why !== undefined) return `destination ${index}: ${why}`;
    }
    return undefined;
  }

  #judgeRival(binary: string, tried: ReadonlySet<string>): string | undefined {
    const folder = this.#destinations[0]?.folder ?? '';
    const output = path.join(this.#folder, 'restored.db');
    const refused = restoreWithLitestream(binary, folder, output);
    if (refused !== undefined) return isNothingThere(refused) ? undefined : refused;
    return judgeFile({ folder, output, reported: undefined, tried });
  }

  #readTried(): ReadonlySet<string> {
    return new Set(fs.readFileSync(this.#tried, 'utf8').split('\n'));
  }

  /** Whether a log with frames lies there. Looked at from a process that has no lock to lose. */
  #hasLog(): boolean {
    const wal = fs.statSync(`${this.#database}-wal`, { throwIfNoEntry: false });
    return wal !== undefined && wal.size > 32;
  }
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
