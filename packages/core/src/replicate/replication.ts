/**
 * One database and its destinations: hears of staged files, decides how the history goes on, wakes
 * the uploaders, asks for images, frees what every destination has.
 */

import type { Clock } from '../clock.ts';
import { isError, messageOf } from '../error.ts';
import type { EngineEvent, FollowStats, OpenedEvent, StagedEvent } from '../database/events.ts';
import type { DatabaseOptions } from '../database/options.ts';
import { formatTXID } from '../ltx/txid.ts';
import type { Logger } from '../replica/backend.ts';
import { decideBeginning } from './beginning.ts';
import { describeStaged } from './describe-staged.ts';
import { ImageOrders } from './image-orders.ts';
import type { EngineLink } from './pool.ts';
import { SentRecords } from './record.ts';
import { StagedFiles } from './staged-files.ts';
import type { DatabaseReport, DatabaseState, DatabaseStatus, StatusError } from './status.ts';
import { StatusFile } from './status-file.ts';
import type { ReplicaTarget } from './target.ts';
import { toDestinationReport, toDestinationStatus } from './tell.ts';
import { Uploader } from './uploader.ts';
import { Wakeup } from './wakeup.ts';

/** How long a start waits for destinations that have neither answered nor failed. */
const REPORT_MS_MAX = 3_000;

export interface ReplicationContext {
  readonly options: DatabaseOptions;
  readonly targets: readonly ReplicaTarget[];
  /** Database and destinations are left alone until it resolves. */
  readonly ready?: Promise<void> | undefined;
  readonly watch: (options: DatabaseOptions, listen: (event: EngineEvent) => void) => EngineLink;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onProgress: (progress: { doneBytes: number; totalBytes: number }) => void;
}

export class Replication {
  readonly #context: ReplicationContext;
  readonly #records: SentRecords;
  readonly #staged: StagedFiles;
  readonly #images: ImageOrders;
  readonly #statusFile: StatusFile;
  readonly #uploaders: readonly Uploader[];
  readonly #changed = new Wakeup();
  #engine: EngineLink | undefined;
  #state: DatabaseState = 'opening';
  #error: StatusError | undefined;
  #opened: OpenedEvent | undefined;
  #begun = false;
  #head = 0n;
  /** Events of the engine are handled one after the other. */
  #handling: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(context: ReplicationContext) {
    this.#context = context;
    const { metaPath, stagingMaxBytes: maxBytes } = context.options;
    this.#records = new SentRecords(metaPath);
    const { logger } = context;
    this.#staged = new StagedFiles({
      records: this.#records,
      maxBytes,
      logger,
      report: this.#report,
    });
    this.#images = new ImageOrders({
      engine: () => this.#engine,
      uploaders: () => this.#uploaders,
      state: () => (this.#begun && !this.#closed ? this.#state : 'idle'),
      head: () => this.#head,
      stagedSnapshot: () => this.#staged.snapshot?.txid ?? 0n,
      onImage: () => this.#go('imaging'),
      snapshotIntervalMs: context.options.snapshotIntervalMs,
      clock: context.clock,
      logger,
    });
    this.#statusFile = new StatusFile(metaPath, {
      status: () => this.status(),
      clock: context.clock,
      onError: this.#report,
    });
    this.#uploaders = context.targets.map((target) => this.#toUploader(target));
  }

  async start(): Promise<void> {
    await this.#records.load();
    const { ready } = this.#context;
    if (ready === undefined) {
      this.#watch();
      return;
    }
    this.#go('waiting');
    const unlessClosed = (): void => {
      if (!this.#closed) this.#watch();
    };
    ready.then(unlessClosed, () => undefined); // why it does not come is for whoever gave it to say
  }

  #watch(): void {
    this.#go('opening');
    this.#engine = this.#context.watch(this.#context.options, (event) => {
      this.#handling = this.#handling.then(() => this.#handle(event)).catch(this.#report);
    });
    for (const uploader of this.#uploaders) uploader.start();
  }

  get path(): string {
    return this.#context.options.path;
  }

  status(): DatabaseStatus {
    const { clock, options, targets } = this.#context;
    const input = { backlog: this.#staged.backlog, monotonicMs: clock.monotonic() };
    return {
      path: options.path,
      state: this.#state,
      at: new Date(clock.now()).toISOString(),
      pid: process.pid,
      txid: this.#head === 0n ? undefined : formatTXID(this.#head),
      pageSize: this.#opened?.pageSize,
      stagedFiles: this.#staged.backlog.files.length,
      stagedBytes: this.#staged.backlog.sizeBytes,
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

  /**
   * Cuts what is committed, and brings every destination up to that: each on its own, as far as it
   * gets (Uploader.drain). A database that is missing has nothing to be cut; one that cannot be
   * followed is tried again for `timeoutMs`.
   */
  async drain(timeoutMs: number, retryMs: number): Promise<DatabaseReport> {
    const target = (await this.#syncWhenBegun(timeoutMs)) ?? this.#head;
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
    this.#images.close();
    const reason = new DOMException('the replicator is closing', 'AbortError');
    await Promise.all(this.#uploaders.map((uploader) => uploader.close(reason)));
    await this.#engine?.close();
    await this.#handling;
    await this.#staged.removed();
    await this.#records.save();
    await this.#statusFile.write();
  }

  async #syncWhenBegun(timeoutMs: number): Promise<bigint | undefined> {
    const { clock } = this.#context;
    let failingSince: number | undefined;
    while (!this.#begun) {
      if (this.#state === 'waiting') return undefined;
      const now = clock.monotonic();
      failingSince = this.#state === 'failing' ? (failingSince ?? now) : undefined;
      const left = failingSince === undefined ? Infinity : failingSince + timeoutMs - now;
      if (left <= 0) return undefined;
      await this.#changed.next(left === Infinity ? undefined : left);
    }
    return await this.sync();
  }

  #toUploader(target: ReplicaTarget): Uploader {
    const { logger, clock, random } = this.#context;
    const key = target.target; // it may get another name, and is the same
    return new Uploader({
      name: target.name,
      target: target.target,
      open: target.open,
      backlog: this.#staged.backlog,
      knowsBacklog: () => this.#opened !== undefined,
      mayBegin: () => this.#begun,
      head: () => this.#head,
      snapshot: () => this.#staged.snapshot,
      onGone: (path) => this.#staged.forget(path),
      record: () => this.#records.get(key),
      onNeed: (need) => this.#images.need(need),
      onChange: ({ sent }) => {
        if (sent !== undefined) this.#records.set(key, sent);
        this.#statusFile.touch();
        this.#changed.notify();
        if (this.#begun) this.#staged.free(this.#uploaders);
        this.#images.consider();
      },
      isMakingImage: () => this.#images.isMaking,
      clock,
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
        this.#staged.backlog.gate(event.txid);
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
        this.#images.answered();
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
    this.#error = undefined;
    this.#images.answered();
    if (event.switchedToWAL === 'yes') logger.info(`${this.path} was switched to WAL mode`);
    this.#staged.reset(
      await Promise.all(event.staged.map((file) => describeStaged(file, this.#context.clock))),
    );
    this.#head = this.#staged.backlog.newest?.txid ?? 0n;
    this.#opened = event; // from now on the backlog is known
    for (const uploader of this.#uploaders) uploader.wake();
    await this.#waitForListings();
    const order = decideBeginning({
      proved: event.proved,
      why: event.why,
      lastTXID: event.lastTXID,
      records: this.#records.all(),
      destinations: this.#uploaders.map(({ name, holdings: { chain, highest } }) => ({
        name,
        chain,
        highest,
      })),
    });
    if (order.mode === 'resume') {
      logger.info(`going on after TXID ${formatTXID(event.proved ?? 0n)}`, { path: this.path });
    }
    this.#go(order.mode === 'resume' ? 'following' : 'imaging');
    this.#begun = true;
    this.#engine?.begin(order);
    this.#wakeAll();
    this.#images.consider();
  }

  /** Waits until every destination has been listed, or has failed to be, or REPORT_MS_MAX. */
  async #waitForListings(): Promise<void> {
    const { clock } = this.#context;
    const deadline = clock.monotonic() + REPORT_MS_MAX;
    for (;;) {
      const left = deadline - clock.monotonic();
      if (left <= 0 || this.#closed || this.#uploaders.every(({ hasReported }) => hasReported))
        return;
      await this.#changed.next(left);
    }
  }

  #onStaged(event: StagedEvent): void {
    if (event.content !== 'increment') this.#images.answered();
    this.#staged.add(event);
    const { maxTXID } = event.file;
    if (event.content !== 'snapshot' && maxTXID > this.#head) this.#head = maxTXID;
    if (!this.#staged.backlog.isGated) this.#go('following');
    this.#wakeAll();
    if (this.#begun) this.#staged.free(this.#uploaders);
  }

  #wakeAll(): void {
    for (const uploader of this.#uploaders) uploader.wake();
    this.#statusFile.touch();
    this.#changed.notify();
  }

  #go(state: DatabaseState): void {
    this.#state = state;
    this.#statusFile.touch();
    this.#changed.notify();
  }

  #toStatusError(code: string, message: string): StatusError {
    return { code, message, at: new Date(this.#context.clock.now()).toISOString() };
  }

  readonly #report = (error: unknown): void => {
    const code = isError(error) ? error.code : undefined;
    this.#context.logger.error(`${this.path}: ${messageOf(error)}`, { code });
  };
}
