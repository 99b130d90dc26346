/**
 * One database and its destinations: hears of staged files, decides how the history goes on, wakes
 * the uploaders, asks for images, frees what every destination has.
 */

import fs from 'node:fs/promises';
import { isError, messageOf } from '../error.ts';
import type { EngineEvent, FollowStats, OpenedEvent, StagedEvent } from '../database/events.ts';
import type { DatabaseOptions } from '../database/options.ts';
import { formatTXID } from '../ltx/txid.ts';
import type { Logger } from '../replica/backend.ts';
import { Backlog, toIncrement, type StagedSnapshot } from './backlog.ts';
import { decideBeginning } from './beginning.ts';
import { planRelease } from './budget.ts';
import { describeStaged } from './describe-staged.ts';
import type { NextStep } from './next.ts';
import type { EngineLink } from './pool.ts';
import { SentRecords } from './record.ts';
import { snapshotDueInMs } from './snapshots.ts';
import type { DatabaseReport, DatabaseState, DatabaseStatus, StatusError } from './status.ts';
import { StatusFile } from './status-file.ts';
import type { ReplicaTarget } from './target.ts';
import { toDestinationReport, toDestinationStatus } from './tell.ts';
import { Uploader } from './uploader.ts';
import { Wakeup } from './wakeup.ts';

/** How long a start waits for destinations that have neither answered nor failed. */
const HEAR_MS_MAX = 3_000;

export interface ReplicationContext {
  readonly options: DatabaseOptions;
  readonly targets: readonly ReplicaTarget[];
  readonly watch: (options: DatabaseOptions, listen: (event: EngineEvent) => void) => EngineLink;
  readonly logger: Logger;
  readonly now: () => number;
  readonly random: () => number;
  readonly onProgress: (progress: { doneBytes: number; totalBytes: number }) => void;
}

export class Replication {
  readonly #context: ReplicationContext;
  readonly #backlog = new Backlog();
  readonly #records: SentRecords;
  readonly #statusFile: StatusFile;
  readonly #uploaders: readonly Uploader[];
  readonly #changed = new Wakeup();
  #engine: EngineLink | undefined;
  #state: DatabaseState = 'waiting';
  #error: StatusError | undefined;
  #opened: OpenedEvent | undefined;
  #begun = false;
  #head = 0n;
  #snapshot: StagedSnapshot | undefined;
  #asked: 'nothing' | 'snapshot' | 'image' = 'nothing';
  #snapshotTimer: NodeJS.Timeout | undefined;
  /** Events of the engine are handled one after the other. */
  #handling: Promise<void> = Promise.resolve();
  #releasing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(context: ReplicationContext) {
    this.#context = context;
    this.#records = new SentRecords(context.options.metaPath);
    this.#statusFile = new StatusFile(context.options.metaPath, () => this.status(), this.#report);
    this.#uploaders = context.targets.map((target) => this.#toUploader(target));
  }

  async start(): Promise<void> {
    await this.#records.load();
    this.#engine = this.#context.watch(this.#context.options, (event) => {
      this.#handling = this.#handling.then(() => this.#handle(event)).catch(this.#report);
    });
    for (const uploader of this.#uploaders) uploader.start();
  }

  get path(): string {
    return this.#context.options.path;
  }

  status(): DatabaseStatus {
    const { now, options, targets } = this.#context;
    const input = { backlog: this.#backlog, now: now() };
    return {
      path: options.path,
      state: this.#state,
      at: new Date(now()).toISOString(),
      pid: process.pid,
      txid: this.#head === 0n ? undefined : formatTXID(this.#head),
      pageSize: this.#opened?.pageSize,
      stagedFiles: this.#backlog.files.length,
      stagedBytes: this.#backlog.sizeBytes,
      error: this.#error,
      destinations: this.#uploaders.map((uploader, index) =>
        toDestinationStatus(uploader, targets[index]?.type ?? '', input),
      ),
    };
  }

  async stats(): Promise<FollowStats | undefined> {
    return await this.#engine?.stats();
  }

  /** Cuts what is committed now; resolves with the TXID that holds it, once it is staged. */
  async sync(): Promise<bigint | undefined> {
    const txid = await this.#engine?.sync();
    await this.#handling;
    return txid;
  }

  /** Resolves once the history goes on (or the database is found to be absent or failing). */
  async begun(timeoutMs: number): Promise<void> {
    const deadline = this.#context.now() + timeoutMs;
    while (!this.#begun && this.#state !== 'failing' && this.#context.now() < deadline) {
      await this.#changed.next(Math.max(1, deadline - this.#context.now()));
    }
  }

  /** Cuts, and brings every destination up to that: each on its own, as far as it gets. */
  async drain(timeoutMs: number, retryMs: number): Promise<DatabaseReport> {
    const txid = await this.#syncWithin(timeoutMs);
    const target = txid ?? this.#head;
    const destinations = await Promise.all(
      this.#uploaders.map(async (uploader) => {
        const complete =
          target === 0n ? 'behind' : await uploader.drain(target, timeoutMs, retryMs);
        return toDestinationReport(uploader, complete);
      }),
    );
    await this.#statusFile.write();
    const head = target === 0n ? undefined : formatTXID(target);
    return { path: this.path, txid: head, error: this.#error, destinations };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#snapshotTimer);
    const reason = new DOMException('the replicator is closing', 'AbortError');
    await Promise.all(this.#uploaders.map((uploader) => uploader.close(reason)));
    await this.#engine?.close();
    await this.#handling;
    await this.#releasing;
    await this.#records.save();
    await this.#statusFile.write();
  }

  async #syncWithin(timeoutMs: number): Promise<bigint | undefined> {
    const late = new Promise<undefined>((resolve) => {
      setTimeout(resolve, timeoutMs, undefined).unref();
    });
    return await Promise.race([this.sync(), late]);
  }

  #toUploader(target: ReplicaTarget): Uploader {
    const { logger, now, random } = this.#context;
    const key = `${target.name} ${target.target}`;
    return new Uploader({
      name: target.name,
      target: target.target,
      open: target.open,
      backlog: this.#backlog,
      knowsBacklog: () => this.#opened !== undefined,
      mayBegin: () => this.#begun,
      head: () => this.#head,
      snapshot: () => this.#snapshot,
      record: () => this.#records.get(key),
      onNeed: this.#onNeed,
      onChange: ({ sent }) => {
        if (sent !== undefined) this.#records.set(key, sent);
        this.#statusFile.touch();
        this.#changed.notify();
        this.#release();
        this.#considerSnapshot();
      },
      now,
      random,
      logger,
    });
  }

  // --- events of the engine -------------------------------------------------------------------

  async #handle(event: EngineEvent): Promise<void> {
    switch (event.kind) {
      case 'waiting':
        this.#go('waiting');
        this.#context.logger.info(`waiting: ${event.why}`);
        return;
      case 'opened':
        await this.#onOpened(event);
        return;
      case 'imaging':
        this.#backlog.gate(event.txid);
        this.#head = event.txid;
        this.#go('imaging');
        this.#context.logger.info(`taking an image: ${event.why}`, {
          txid: formatTXID(event.txid),
        });
        return;
      case 'progress':
        this.#context.onProgress(event);
        return;
      case 'staged':
        this.#onStaged(event);
        return;
      case 'failed':
        this.#error = this.#toStatusError(event.code ?? 'UNKNOWN', event.message);
        this.#asked = 'nothing';
        this.#begun = false;
        this.#go('failing');
        this.#context.logger.error(`${this.path}: ${event.message}`, { code: event.code });
        return;
      case 'notice':
        this.#context.logger[event.level](`${this.path}: ${event.message}`);
        return;
    }
  }

  async #onOpened(event: OpenedEvent): Promise<void> {
    const { logger } = this.#context;
    this.#opened = event;
    this.#error = undefined;
    this.#asked = 'nothing';
    this.#snapshot = undefined;
    if (event.switchedToWAL === 'yes') logger.info(`${this.path} was switched to WAL mode`);
    this.#backlog.reset(await Promise.all(event.staged.map((file) => describeStaged(file))));
    this.#head = this.#backlog.newest?.txid ?? 0n;
    for (const uploader of this.#uploaders) uploader.wake();
    await this.#hear();
    const order = decideBeginning({
      proved: event.proved,
      why: event.why,
      newestStaged: this.#head,
      destinations: this.#uploaders.map(({ name, chain, highest }) => ({ name, chain, highest })),
    });
    if (order.mode === 'resume') {
      logger.info(`going on after TXID ${formatTXID(event.proved ?? 0n)}`, { path: this.path });
    }
    this.#go(order.mode === 'resume' ? 'following' : 'imaging');
    this.#begun = true;
    this.#engine?.begin(order);
    this.#wakeAll();
    this.#considerSnapshot();
  }

  /** Waits until every destination has been listed, or has failed to be, or HEAR_MS_MAX. */
  async #hear(): Promise<void> {
    const deadline = this.#context.now() + HEAR_MS_MAX;
    for (;;) {
      const left = deadline - this.#context.now();
      if (left <= 0 || this.#closed || this.#uploaders.every(({ isHeardOf }) => isHeardOf)) return;
      await this.#changed.next(left);
    }
  }

  #onStaged(event: StagedEvent): void {
    if (event.content === 'snapshot') {
      this.#asked = 'nothing';
      const { pageSize, timestampMs, file } = event;
      const { path, sizeBytes, maxTXID: txid } = file;
      this.#snapshot = { txid, path, sizeBytes, pageSize, timestampMs };
    } else {
      if (event.content === 'image') this.#asked = 'nothing';
      this.#backlog.add(toIncrement(event));
      if (event.file.maxTXID > this.#head) this.#head = event.file.maxTXID;
    }
    if (!this.#backlog.isGated) this.#go('following');
    this.#wakeAll();
    this.#release();
  }

  #wakeAll(): void {
    for (const uploader of this.#uploaders) uploader.wake();
    this.#statusFile.touch();
    this.#changed.notify();
  }

  // --- images ---------------------------------------------------------------------------------

  readonly #onNeed = (need: NextStep & { kind: 'needs-snapshot' | 'needs-image' }): void => {
    if (!this.#begun || this.#state === 'imaging' || this.#asked === 'image') return;
    if (need.kind === 'needs-image') {
      this.#asked = 'image';
      this.#go('imaging');
      this.#context.logger.warn(`an image is needed: ${need.why}`);
      this.#engine?.image(need.floor, need.why);
      return;
    }
    if (this.#asked === 'nothing') this.#askSnapshot(`a destination is seeded: ${need.why}`);
  };

  #askSnapshot(why: string): void {
    this.#asked = 'snapshot';
    this.#context.logger.info(`taking a snapshot: ${why}`);
    this.#engine?.snapshot();
  }

  /** Asks for the periodic snapshot where it is due, and looks again when it will be. */
  #considerSnapshot(): void {
    clearTimeout(this.#snapshotTimer);
    if (!this.#begun || this.#closed || this.#asked !== 'nothing') return;
    if (this.#state !== 'following') return;
    const current = this.#uploaders.filter((uploader) => uploader.replicatedTXID !== undefined);
    const newest = current.map((uploader) => uploader.newestSnapshot);
    const pending = this.#snapshot?.txid ?? 0n;
    if (newest.some((snapshot) => (snapshot?.txid ?? 0n) < pending)) return; // one is on its way
    const { now, options } = this.#context;
    const intervalMs = options.snapshotIntervalMs;
    const due = snapshotDueInMs({ now: now(), intervalMs, head: this.#head, newest });
    if (due === 0) this.#askSnapshot('it is due');
    else if (due !== Infinity) {
      const wait = Math.min(due, TIMER_MS_MAX);
      this.#snapshotTimer = setTimeout(() => this.#considerSnapshot(), wait);
      this.#snapshotTimer.unref();
    }
  }

  // --- staging --------------------------------------------------------------------------------

  #release(): void {
    if (!this.#begun) return;
    const { options, logger } = this.#context;
    const plan = planRelease({
      files: this.#backlog.files,
      maxBytes: options.stagingMaxBytes,
      holders: this.#uploaders.map(({ name, releasableTXID }) => ({
        name,
        releasable: releasableTXID,
      })),
    });
    const freed = this.#backlog.release(plan.releaseTo);
    if (freed.length === 0 && !this.#snapshotIsDone()) return;
    if (plan.laggards.length > 0 && freed.length > 0) {
      logger.warn(
        `staging is full: ${plan.laggards.join(', ')} will be seeded anew by a snapshot`,
        { maxBytes: options.stagingMaxBytes },
      );
    }
    const paths = freed.map((file) => file.path);
    if (this.#snapshotIsDone() && this.#snapshot !== undefined) {
      paths.push(this.#snapshot.path);
      this.#snapshot = undefined;
    }
    this.#releasing = this.#releasing
      .then(async () => {
        await this.#records.save(); // what is freed is in the record
        for (const path of paths) await fs.rm(path, { force: true });
      })
      .catch(this.#report);
  }

  /** Nobody who can be reached still needs it. */
  #snapshotIsDone(): boolean {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return false;
    return this.#uploaders.every(
      (uploader) =>
        (uploader.newestSnapshot?.txid ?? 0n) >= snapshot.txid &&
        uploader.replicatedTXID !== undefined,
    );
  }

  #go(state: DatabaseState): void {
    this.#state = state;
    this.#statusFile.touch();
    this.#changed.notify();
  }

  #toStatusError(code: string, message: string): StatusError {
    return { code, message, at: new Date(this.#context.now()).toISOString() };
  }

  readonly #report = (error: unknown): void => {
    const code = isError(error) ? error.code : undefined;
    this.#context.logger.error(`${this.path}: ${messageOf(error)}`, { code });
  };
}

/** setTimeout takes no more than about 24 days. */
const TIMER_MS_MAX = 20 * 24 * 3_600_000;
