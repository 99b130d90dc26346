/**
 * One database and its destinations: handles events of the engine, decides how replication begins,
 * wakes the uploaders, requests images and frees files that every destination has.
 *
 * Staged files are sent and freed even while the database cannot be followed: that is how a full disk
 * gets room again.
 */

import { toDatabaseError } from '../database/sqlite/database-error.ts';
import type { EngineEvent, OpenedEvent, StagedEvent } from '../database/events.ts';
import { isError, ReplicationError } from '../error.ts';
import { formatTXID } from '../ltx/txid.ts';
import { decideBeginning, describeBeginning, describeComparison, toKnown } from './beginning.ts';
import { StagingClaim } from './claim.ts';
import { Condition } from './condition.ts';
import { DatabaseHealth, HANG_MS_MAX } from './status/database-health.ts';
import { SharedReads } from './destination/bodies.ts';
import { waitForListings } from './destination/lister.ts';
import { Uploader } from './destination/uploader.ts';
import { bringUpToDate } from './final-sync.ts';
import { ImageRequests, type SnapshotOrder } from './image-requests.ts';
import { logError, loggerFor, serving } from './logging.ts';
import { SentRecords } from './record.ts';
import type { ReplicationContext } from './replication-context.ts';
import type { DrainOptions } from './replicate.ts';
import { StagedFiles } from './staged-files.ts';
import { readFileMarks, type FileMarks } from './status/file-marks.ts';
import { heartbeatMs, StatusFile } from './status/status-file.ts';
import type { DatabaseReport, DatabaseStatus, ReplicaTarget } from './status/status.ts';
import { toDatabaseReport, toDatabaseStatus } from './status/to-status.ts';
import type { Verdict } from './status/verdict.ts';
import { Wakeup, within } from './waits.ts';
import type { EngineLink } from './watch-pool.ts';

/** Time limit of each step of `close`. */
const CLOSE_MS_MAX = 5_000;

export class Replication {
  readonly path: string;
  readonly #context: ReplicationContext;
  readonly #records: SentRecords;
  readonly #staged: StagedFiles;
  readonly #images: ImageRequests;
  readonly #statusFile: StatusFile;
  readonly #uploaders: readonly Uploader[];
  readonly #changed = new Wakeup();
  readonly #claim: StagingClaim;
  readonly #reads: SharedReads;
  #engine: EngineLink | undefined;
  readonly #condition: Condition;
  readonly #health: DatabaseHealth;
  #opened: OpenedEvent | undefined;
  #begun = false;
  #head = 0n;
  /** Events of the engine are handled one after the other. */
  #handling: Promise<void> = Promise.resolve();
  #closed = false;
  /** Verdict of the last sync, once it was made. */
  #ending: Verdict | undefined;
  #marks: FileMarks | undefined;

  constructor(given: ReplicationContext) {
    const context = { ...given, logger: loggerFor(given.logger, given.options.path) };
    this.#context = context;
    this.path = context.options.path;
    const { metaPath, stagingMaxBytes: maxBytes } = context.options;
    const { clock, files, logger } = context;
    this.#records = new SentRecords(metaPath, files);
    this.#reads = new SharedReads(files);
    this.#condition = new Condition({
      path: this.path,
      clock,
      logger,
      onChange: () => {
        if (this.#condition.state !== 'waiting') this.#health.present();
        this.#statusFile.touch();
        this.#changed.notify();
      },
    });
    this.#staged = new StagedFiles({
      records: this.#records,
      files,
      folder: metaPath,
      maxBytes,
      holders: () => (this.#begun ? this.#uploaders : undefined),
      clock,
      logger,
      report: this.#report,
    });
    this.#images = new ImageRequests({
      engine: () => this.#engine,
      uploaders: () => this.#uploaders,
      state: () => (this.#begun && !this.#closed ? this.#condition.state : 'idle'),
      head: () => this.#head,
      stagedSnapshot: () => this.#staged.snapshot?.txid ?? 0n,
      onImage: () => this.#condition.setState('imaging'),
      onRetry: () => this.#wakeAll(),
      snapshotIntervalMs: context.options.snapshotIntervalMs,
      clock: context.clock,
      logger,
    });
    this.#statusFile = new StatusFile(metaPath, {
      status: () => this.status(),
      clock,
      files,
      onError: this.#report,
      heartbeatMs: heartbeatMs(context.options.maxLagMs),
    });
    this.#health = new DatabaseHealth({
      maxLagMs: context.options.maxLagMs,
      monitorIntervalMs: context.options.monitorIntervalMs,
      clock,
      backlog: this.#staged.backlog,
      head: () => this.#head,
      uploaders: () => this.#uploaders,
      freeingSince: () => this.#staged.freeingSince,
      stateFileWrittenAt: () => this.#statusFile.writtenAt,
      failure: () => this.#condition.error?.message,
    });
    this.#claim = new StagingClaim({
      options: context.options,
      clock,
      onOwned: () => this.#onOwned(),
      onWaiting: (why) => {
        this.#health.absent('no folder');
        this.#condition.setWaiting(why);
      },
      onFailure: (error) => this.#condition.fail(toDatabaseError(error, context.options)),
    });
    this.#uploaders = context.targets.map((target) => this.#toUploader(target));
  }

  /** Throws STAGING_IN_USE if another process replicates the database. Other failures are retried. */
  async start(): Promise<void> {
    await this.#claim.start();
  }

  status(): DatabaseStatus {
    const { clock, options } = this.#context;
    return toDatabaseStatus({
      path: options.path,
      condition: this.#condition,
      clock,
      heartbeatMs: heartbeatMs(options.maxLagMs),
      marks: this.#marks,
      head: this.#head,
      pageSize: this.#opened?.pageSize,
      backlog: this.#staged.backlog,
      health: this.#health,
      ending: this.#ending,
      uploaders: this.#uploaders,
    });
  }

  /** Makes a snapshot for all destinations now. */
  snapshot(): SnapshotOrder {
    return this.#images.requestSnapshot();
  }

  /**
   * Cuts everything committed. Resolves with its TXID once it is staged, or with undefined if the
   * database is not followed. Rejects if the commits cannot be read or staged.
   */
  async sync(): Promise<bigint | undefined> {
    const txid = await this.#engine?.sync();
    await this.#handling;
    return txid;
  }

  /**
   * Cuts everything committed and brings each destination up to it, independently of the others
   * (Uploader.drain). A missing database has nothing to cut. A database that cannot be followed is
   * retried for a while, and its staged files are sent anyway.
   */
  async drain(options: DrainOptions): Promise<DatabaseReport> {
    const { clock, options: database } = this.#context;
    const ending = await bringUpToDate({
      condition: this.#condition,
      hasBegun: () => this.#begun,
      sync: () => this.sync(),
      changed: this.#changed,
      clock,
      head: () => this.#head,
      health: this.#health,
      uploaders: this.#uploaders,
      options: { absentMs: database.maxLagMs, ...options },
    });
    this.#ending = ending.verdict;
    return toDatabaseReport(this.path, ending, this.#condition, this.#uploaders);
  }

  /** Stops. A step that hangs is abandoned after its time limit. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#images.close();
    const reason = new DOMException('the replicator is closing', 'AbortError');
    const closing = this.#uploaders.map((uploader) => uploader.close(reason));
    await within(CLOSE_MS_MAX, Promise.all(closing));
    await this.#health.unlessStuck(this.#engine?.close(), CLOSE_MS_MAX);
    await within(CLOSE_MS_MAX, this.#handling);
    const saved = this.#staged.close().then(() => this.#records.save());
    await within(CLOSE_MS_MAX, saved.catch(this.#report));
    this.#marks = await readFileMarks(this.path).catch(() => undefined);
    this.#condition.setState('ended');
    await this.#statusFile.close();
    await this.#claim.close();
  }

  #toUploader(target: ReplicaTarget): Uploader {
    const { logger, clock, random, files } = this.#context;
    const ports = { clock, random, files };
    const key = target.target; // the name may change in the config, the target identifies it
    return new Uploader({
      name: target.name,
      type: target.type,
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
      onImageNeeded: (need) => this.#images.request(need),
      onChange: ({ sent }) => {
        if (sent !== undefined) this.#records.set(key, sent);
        for (const uploader of this.#uploaders) this.#health.confirmed(uploader);
        this.#statusFile.touch();
        this.#changed.notify();
        this.#staged.free();
        this.#images.scheduleSnapshot();
      },
      isMakingImage: () => this.#images.isMaking,
      hangMs: Math.min(HANG_MS_MAX, this.#context.options.maxLagMs),
      ...ports,
      logger,
    });
  }

  // --- startup --------------------------------------------------------------------------------

  /** The staging folder is locked and may be read and written from now on. */
  async #onOwned(): Promise<void> {
    await this.#records.load();
    this.#statusFile.begin();
    const { ready } = this.#context;
    if (ready === undefined) {
      this.#watch();
      return;
    }
    this.#health.absent('no file');
    this.#condition.setState('waiting');
    const unlessClosed = (): void => {
      if (!this.#closed) this.#watch();
    };
    ready.then(unlessClosed, () => undefined); // the caller reports a rejection
  }

  #watch(): void {
    this.#condition.setState('opening');
    const { options, targets, watch } = this.#context;
    const sentEverywhere = this.#records.lowestOf(targets.map(({ target }) => target));
    const { memory } = this.#health.gauges;
    this.#engine = watch({ options, sentEverywhere, memory }, (event) => {
      this.#handling = this.#handling.then(() => this.#handle(event)).catch(this.#restart);
    });
    serving(this.path, () => {
      for (const uploader of this.#uploaders) uploader.start();
    });
  }

  /** Handling an event failed, so the database is opened again after a while. */
  readonly #restart = (error: unknown): void => {
    if (isError(error, 'STAGING_IN_USE')) this.#context.onLost(error);
    this.#condition.fail(toDatabaseError(error, this.#context.options));
    this.#engine?.reopen(error);
  };

  // --- events of the engine -------------------------------------------------------------------

  async #handle(event: EngineEvent): Promise<void> {
    switch (event.kind) {
      case 'waiting':
        this.#health.absent(event.absence);
        this.#condition.setWaiting(event.why);
        return;
      case 'opened':
        await this.#onOpened(event);
        return;
      case 'imaging':
        this.#staged.backlog.gate(event.txid);
        this.#head = event.txid;
        this.#condition.setState('imaging');
        this.#context.logger.info(`taking a full snapshot: ${event.why}`, {
          txid: formatTXID(event.txid),
        });
        return;
      case 'compared':
        this.#context.logger.info(describeComparison(event), { txid: formatTXID(event.txid) });
        this.#condition.setState('following');
        this.#wakeAll();
        this.#images.scheduleSnapshot();
        return;
      case 'progress':
        this.#context.onProgress(event);
        return;
      case 'staged':
        await this.#onStaged(event);
        return;
      case 'full':
        this.#condition.fail(new ReplicationError('STAGING_FULL', event.message));
        this.#staged.onNoRoom();
        return;
      case 'no-snapshot':
        this.#condition.snapshotFailed(event.code, event.message, this.#images.failed());
        if (event.code === 'STAGING_FULL') this.#staged.onNoSnapshotRoom();
        return;
      case 'failed':
        this.#condition.fail(event);
        this.#images.requestDropped();
        if (event.code === 'STAGING_FULL') this.#staged.onNoRoom();
        return;
      case 'notice':
        this.#context.logger[event.level](event.message);
        return;
    }
  }

  async #onOpened(event: OpenedEvent): Promise<void> {
    const { logger } = this.#context;
    await this.#claim.renew();
    this.#condition.opened();
    this.#images.requestDropped();
    if (event.switchedToWAL) logger.info('the database was switched to WAL mode');
    this.#staged.reset(event.staged);
    this.#head = this.#staged.backlog.newest?.txid ?? 0n;
    this.#opened = event; // the backlog is known from here on
    for (const uploader of this.#uploaders) uploader.wake();
    await waitForListings({
      uploaders: this.#uploaders,
      changed: this.#changed,
      clock: this.#context.clock,
      isClosed: () => this.#closed,
    });
    const order = decideBeginning({
      ...event,
      records: this.#records.all(),
      destinations: this.#uploaders.map(toKnown),
    });
    const { mode } = order;
    if (mode !== 'image') logger.info(describeBeginning({ ...order, mode }, event.proved));
    this.#condition.setState(order.mode === 'resume' ? 'following' : 'imaging');
    this.#begun = true;
    this.#engine?.begin(order);
    this.#wakeAll();
    this.#images.scheduleSnapshot();
  }

  async #onStaged(event: StagedEvent): Promise<void> {
    const { content, file } = event;
    if (content !== 'increment') this.#images.requestDone();
    if (content === 'snapshot') this.#condition.snapshotMade();
    else {
      if (file.maxTXID > this.#head) this.#head = file.maxTXID;
      this.#condition.staged();
    }
    this.#staged.add(event);
    if (!this.#staged.backlog.isGated) this.#condition.setState('following');
    this.#wakeAll();
    await this.#staged.measure();
    this.#staged.free();
  }

  #wakeAll(): void {
    for (const uploader of this.#uploaders) uploader.wake();
    this.#statusFile.touch();
    this.#changed.notify();
  }

  readonly #report = (error: unknown): void => logError(this.#context.logger, error);
}
