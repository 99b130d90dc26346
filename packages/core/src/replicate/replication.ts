/**
 * One database and its destinations: hears of staged files, decides how the history goes on, wakes
 * the uploaders, asks for images, frees what every destination has.
 *
 * What is staged is sent and freed whatever becomes of the following: a full disk gets room by that.
 */

import type { Clock } from '../clock.ts';
import { isError, messageOf, ReplicationError } from '../error.ts';
import { toDatabaseError } from '../database/database-error.ts';
import type { EngineEvent, FollowStats, OpenedEvent, StagedEvent } from '../database/events.ts';
import type { DatabaseOptions } from '../database/options.ts';
import { formatTXID } from '../ltx/txid.ts';
import type { Logger } from '../replica/backend.ts';
import { decideBeginning } from './beginning.ts';
import { StagingClaim } from './claim.ts';
import { Condition } from './condition.ts';
import { finalSync } from './final-sync.ts';
import { ImageOrders } from './image-orders.ts';
import type { WatchOrder } from './messages.ts';
import type { EngineLink } from './pool.ts';
import { SentRecords } from './record.ts';
import { SharedReads } from './shared-reads.ts';
import { StagedFiles } from './staged-files.ts';
import type { DatabaseReport, DatabaseStatus } from './status.ts';
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
  readonly watch: (order: WatchOrder, listen: (event: EngineEvent) => void) => EngineLink;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onProgress: (progress: { doneBytes: number; totalBytes: number }) => void;
  /** Another process has taken the staging folder over: this one must end. */
  readonly onLost: (error: Error) => void;
}

export class Replication {
  readonly #context: ReplicationContext;
  readonly #records: SentRecords;
  readonly #staged: StagedFiles;
  readonly #images: ImageOrders;
  readonly #statusFile: StatusFile;
  readonly #uploaders: readonly Uploader[];
  readonly #changed = new Wakeup();
  readonly #claim: StagingClaim;
  readonly #reads = new SharedReads();
  #engine: EngineLink | undefined;
  readonly #condition: Condition;
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
    const { clock, logger } = context;
    this.#condition = new Condition({
      path: this.path,
      clock,
      logger,
      onChange: () => {
        this.#statusFile.touch();
        this.#changed.notify();
      },
    });
    this.#staged = new StagedFiles({
      records: this.#records,
      folder: metaPath,
      maxBytes,
      holders: () => (this.#begun ? this.#uploaders : undefined),
      clock,
      logger,
      report: this.#report,
    });
    this.#images = new ImageOrders({
      engine: () => this.#engine,
      uploaders: () => this.#uploaders,
      state: () => (this.#begun && !this.#closed ? this.#condition.state : 'idle'),
      head: () => this.#head,
      stagedSnapshot: () => this.#staged.snapshot?.txid ?? 0n,
      onImage: () => this.#condition.go('imaging'),
      onRetry: () => this.#wakeAll(),
      snapshotIntervalMs: context.options.snapshotIntervalMs,
      clock: context.clock,
      logger,
    });
    this.#statusFile = new StatusFile(metaPath, {
      status: () => this.status(),
      clock,
      onError: this.#report,
    });
    this.#claim = new StagingClaim({
      options: context.options,
      clock,
      onOwned: () => this.#onOwned(),
      onWaiting: (why) => this.#condition.wait(why),
      onFailure: (error) => this.#condition.fail(toDatabaseError(error, context.options)),
    });
    this.#uploaders = context.targets.map((target) => this.#toUploader(target));
  }

  /** STAGING_IN_USE where another process follows the database. What else fails is tried again. */
  async start(): Promise<void> {
    await this.#claim.start();
  }

  get path(): string {
    return this.#context.options.path;
  }

  status(): DatabaseStatus {
    const { clock, options, targets } = this.#context;
    const input = { backlog: this.#staged.backlog, monotonicMs: clock.monotonic() };
    return {
      path: options.path,
      state: this.#condition.state,
      at: new Date(clock.now()).toISOString(),
      pid: process.pid,
      txid: this.#head === 0n ? undefined : formatTXID(this.#head),
      pageSize: this.#opened?.pageSize,
      stagedFiles: this.#staged.backlog.files.length,
      stagedBytes: this.#staged.backlog.sizeBytes,
      error: this.#condition.error,
      snapshotError: this.#condition.snapshotError,
      destinations: this.#uploaders.map((uploader, index) =>
        toDestinationStatus(uploader, targets[index]?.type ?? '', input),
      ),
    };
  }

  async stats(): Promise<FollowStats | undefined> {
    return await this.#engine?.stats();
  }

  /**
   * Cuts what is committed now; resolves with the TXID that holds it, once it is staged, or undefined
   * where nothing is followed. Rejects where it cannot be seen what is committed, or not be staged.
   */
  async sync(): Promise<bigint | undefined> {
    const txid = await this.#engine?.sync();
    await this.#handling;
    return txid;
  }

  /**
   * Cuts what is committed, and brings every destination up to that: each on its own, as far as it
   * gets (Uploader.drain). A database that is missing has nothing to be cut; one that cannot be
   * followed is tried again for `timeoutMs`, and what is staged of it is sent all the same.
   */
  async drain(timeoutMs: number, retryMs: number): Promise<DatabaseReport> {
    const result = await finalSync({
      state: () => this.#condition.state,
      error: () => this.#condition.error,
      hasBegun: () => this.#begun,
      sync: () => this.sync(),
      changed: this.#changed,
      clock: this.#context.clock,
      timeoutMs,
    });
    const target = result.kind === 'staged' ? result.txid : this.#head;
    const destinations = await Promise.all(
      this.#uploaders.map(async (uploader) => {
        const complete =
          target === 0n ? 'behind' : await uploader.drain(target, timeoutMs, retryMs);
        return toDestinationReport(uploader, complete);
      }),
    );
    await this.#statusFile.write();
    const head = target === 0n ? undefined : formatTXID(target);
    const error =
      result.kind === 'failed'
        ? this.#condition.toStatusError(result.code, result.message)
        : this.#condition.error;
    return { path: this.path, txid: head, error, destinations };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#images.close();
    const reason = new DOMException('the replicator is closing', 'AbortError');
    await Promise.all(this.#uploaders.map((uploader) => uploader.close(reason)));
    await this.#engine?.close();
    await this.#handling;
    await this.#staged.close();
    await this.#records.save().catch(this.#report);
    await this.#statusFile.write();
    await this.#claim.close();
  }

  #toUploader(target: ReplicaTarget): Uploader {
    const { logger, clock, random } = this.#context;
    const key = target.target; // it may get another name, and is the same
    return new Uploader({
      name: target.name,
      target: target.target,
      open: target.open,
      backlog: this.#staged.backlog,
      reads: this.#reads,
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
        this.#staged.free();
        this.#images.consider();
      },
      isMakingImage: () => this.#images.isMaking,
      clock,
      random,
      logger,
    });
  }

  // --- how it begins --------------------------------------------------------------------------

  /** The staging folder is ours: from now on it is read and written. */
  async #onOwned(): Promise<void> {
    await this.#records.load();
    this.#statusFile.begin();
    const { ready } = this.#context;
    if (ready === undefined) {
      this.#watch();
      return;
    }
    this.#condition.go('waiting');
    const unlessClosed = (): void => {
      if (!this.#closed) this.#watch();
    };
    ready.then(unlessClosed, () => undefined); // why it does not come is for whoever gave it to say
  }

  #watch(): void {
    this.#condition.go('opening');
    const { options, targets, watch } = this.#context;
    const sentEverywhere = this.#records.lowestOf(targets.map(({ target }) => target));
    this.#engine = watch({ options, sentEverywhere }, (event) => {
      this.#handling = this.#handling.then(() => this.#handle(event)).catch(this.#restart);
    });
    for (const uploader of this.#uploaders) uploader.start();
  }

  /** It could not be gone on after an event: the database is opened again, after a while. */
  readonly #restart = (error: unknown): void => {
    if (isError(error, 'STAGING_IN_USE')) this.#context.onLost(error);
    this.#condition.fail(toDatabaseError(error, this.#context.options));
    this.#engine?.reopen(error);
  };

  // --- events of the engine -------------------------------------------------------------------

  async #handle(event: EngineEvent): Promise<void> {
    switch (event.kind) {
      case 'waiting':
        this.#condition.wait(event.why);
        return;
      case 'opened':
        await this.#onOpened(event);
        return;
      case 'imaging':
        this.#staged.backlog.gate(event.txid);
        this.#head = event.txid;
        this.#condition.go('imaging');
        this.#context.logger.info(`taking an image: ${event.why}`, {
          txid: formatTXID(event.txid),
        });
        return;
      case 'progress':
        this.#context.onProgress(event);
        return;
      case 'staged':
        await this.#onStaged(event);
        return;
      case 'full':
        this.#condition.fail(new ReplicationError('STAGING_FULL', event.message));
        this.#staged.lacksRoom();
        return;
      case 'no-snapshot':
        this.#condition.missSnapshot(event.code, event.message, this.#images.failed());
        return;
      case 'failed':
        this.#condition.fail(event);
        this.#images.dropped();
        if (event.code === 'STAGING_FULL') this.#staged.lacksRoom();
        return;
      case 'notice':
        this.#context.logger[event.level](`${this.path}: ${event.message}`);
        return;
    }
  }

  async #onOpened(event: OpenedEvent): Promise<void> {
    const { logger } = this.#context;
    await this.#claim.renew();
    this.#condition.open();
    this.#images.dropped();
    if (event.switchedToWAL === 'yes') logger.info(`${this.path} was switched to WAL mode`);
    this.#staged.reset(event.staged);
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
    this.#condition.go(order.mode === 'resume' ? 'following' : 'imaging');
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

  async #onStaged(event: StagedEvent): Promise<void> {
    const { content, file } = event;
    if (content !== 'increment') this.#images.made();
    if (content === 'snapshot') this.#condition.madeSnapshot();
    else {
      if (file.maxTXID > this.#head) this.#head = file.maxTXID;
      this.#condition.staged();
    }
    this.#staged.add(event);
    if (!this.#staged.backlog.isGated) this.#condition.go('following');
    this.#wakeAll();
    await this.#staged.measure();
    this.#staged.free();
  }

  #wakeAll(): void {
    for (const uploader of this.#uploaders) uploader.wake();
    this.#statusFile.touch();
    this.#changed.notify();
  }

  readonly #report = (error: unknown): void => {
    const code = isError(error) ? error.code : undefined;
    this.#context.logger.error(`${this.path}: ${messageOf(error)}`, { code });
  };
}
