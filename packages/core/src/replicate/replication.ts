/**
 * One database and its destinations: handles events of the engine, decides how replication begins,
 * wakes the uploaders, requests images and frees files that every destination has.
 *
 * Staged files are sent and freed even while the database cannot be followed: that is how a full disk
 * gets room again.
 */

import { toDatabaseError } from '../database/sqlite/database-error.ts';
import type { EngineEvent, OpenedEvent, StagedEvent } from '../database/events.ts';
import { isError } from '../error.ts';
import { decideBeginning, toKnown } from './beginning.ts';
import { StagingClaim } from './claim.ts';
import { Condition, noteFailure } from './condition.ts';
import { DatabaseHealth, HANG_MS_MAX } from './status/database-health.ts';
import { Durability } from './durable/durability.ts';
import { SharedReads } from './destination/bodies.ts';
import { waitForListings } from './destination/lister.ts';
import { Uploader } from './destination/uploader.ts';
import { bringUpToDate } from './final-sync.ts';
import { ImageRequests, type SnapshotOrder } from './image-requests.ts';
import { toSchedule } from './levels/snapshot-time.ts';
import { loggerFor, serving } from './logging.ts';
import { SentRecords } from './record.ts';
import { reseed, type Reseed } from './reseed.ts';
import type { ReplicationContext } from './replication-context.ts';
import type { DrainOptions } from './replicate.ts';
import type { StagedFiles } from './staged-files.ts';
import { StagingArea } from './staging-area.ts';
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
  /** Waits until commits are at a number of destinations. */
  readonly durability: Durability;
  readonly #context: ReplicationContext;
  readonly #records: SentRecords;
  readonly #area: StagingArea;
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
    const { clock, files } = context;
    this.#records = new SentRecords(context.options.metaPath, files);
    this.#reads = new SharedReads(files);
    this.#condition = new Condition({
      ...context,
      path: this.path,
      onChange: () => {
        if (this.#condition.state !== 'waiting') this.#health.present();
        this.#statusFile.touch();
        this.#changed.notify();
      },
    });
    this.#area = new StagingArea({
      ...context,
      records: this.#records,
      holders: () => (this.#begun ? this.#uploaders : undefined),
      onMerged: () => this.#wakeAll(),
      report: this.#report,
    });
    this.#staged = this.#area.staged;
    this.#images = new ImageRequests({
      ...context,
      engine: () => this.#engine,
      uploaders: () => this.#uploaders,
      state: () => (this.#begun && !this.#closed ? this.#condition.state : 'idle'),
      head: () => this.#head,
      stagedSnapshot: () => this.#staged.snapshot,
      onImage: () => this.#condition.setState('imaging'),
      onRetry: () => this.#wakeAll(),
      schedule: toSchedule(context.options),
    });
    this.#statusFile = new StatusFile(context.options.metaPath, {
      ...{ ...context, onError: this.#report },
      status: () => this.status(),
      rest: () => this.#health.rest,
      heartbeatMs: heartbeatMs(context.options.maxLagMs),
    });
    this.#health = new DatabaseHealth({
      ...context.options,
      clock,
      backlog: this.#staged.backlog,
      head: () => this.#head,
      uploaders: () => this.#uploaders,
      freeingSince: () => this.#staged.freeingSince,
      stateFileWrittenAt: () => this.#statusFile.writtenAt,
      failure: () => this.#condition.error?.message,
    });
    this.durability = new Durability({
      path: this.path,
      sync: () => this.sync(),
      expectSync: () => this.#engine?.expectSync(),
      uploaders: () => this.#uploaders,
      backlog: this.#staged.backlog,
      condition: this.#condition,
      ...{ changed: this.#changed, clock },
    });
    this.#claim = new StagingClaim({
      options: context.options,
      clock,
      onOwned: () => this.#onOwned(),
      onWaiting: (why, at) => {
        this.#health.absent('no folder', at);
        if (this.#condition.state !== 'waiting') this.#condition.setWaiting(why);
      },
      onFailure: (error) => this.#condition.fail(toDatabaseError(error, context.options)),
    });
    this.#uploaders = context.targets.map((target) => this.#toUploader(target));
  }

  /** Throws STAGING_IN_USE if another process replicates the database. Other failures are retried. */
  async start(): Promise<void> {
    await this.#claim.start();
  }

  /** The `state` of its status. */
  readonly state = (): DatabaseStatus['state'] => this.#condition.state;

  status(): DatabaseStatus {
    const { clock, options } = this.#context;
    return toDatabaseStatus({
      ...{ options, clock, condition: this.#condition, marks: this.#marks, head: this.#head },
      heartbeatMs: heartbeatMs(options.maxLagMs),
      pageSize: this.#opened?.pageSize,
      backlog: this.#staged.backlog,
      compactor: this.#area.compactor,
      health: this.#health,
      ending: this.#ending,
      uploaders: this.#uploaders,
    });
  }

  /** With `write`, the state file says it first. */
  async report(write = false): Promise<DatabaseStatus> {
    if (write) await this.#statusFile.writeInTime();
    return this.status();
  }

  /** Makes a snapshot for all destinations now; with `damage`, one with a new TXID. */
  snapshot(damage?: string): SnapshotOrder {
    return this.#images.requestSnapshot(damage);
  }

  /** Lets the destination `name` be seeded again, if it is a folder that has lost its files. */
  async reseed(name: string): Promise<Reseed> {
    const uploader = this.#uploaders.find((each) => each.name === name);
    return uploader === undefined ? 'not needed' : await reseed(this.#records, uploader);
  }

  /**
   * Cuts everything committed. Resolves with its TXID once it is staged, or with undefined if the
   * database is not followed. A missing database is looked for, and followed from then on. Rejects if the
   * commits cannot be read or staged.
   */
  async sync(): Promise<bigint | undefined> {
    if (this.#engine === undefined) await this.#claim.lookAgain();
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
      ...{ path: this.path, changed: this.#changed, clock },
      condition: this.#condition,
      hasBegun: () => this.#begun,
      sync: () => this.sync(),
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
    this.durability.close();
    this.#images.close();
    this.#area.compactor.close();
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
    const { logger, clock, random, files, options, databases } = this.#context;
    // The name may change in the config, the target identifies it.
    const { target: key, snapshotIntervalMs = options.snapshotIntervalMs } = target;
    return new Uploader({
      ...target,
      databaseIntervalMs: options.syncIntervalMs,
      snapshotIntervalMs,
      backlog: this.#staged.backlog,
      reads: this.#reads,
      knowsBacklog: () => this.#opened !== undefined,
      mayBegin: () => this.#begun,
      head: () => this.#head,
      snapshot: () => this.#staged.snapshot,
      merged: this.#area.compactor,
      onGone: (path) => this.#area.forget(path),
      record: () => this.#records.get(key),
      ...this.#records.emptinessOf(key),
      sealed: () => this.#records.sealed(key),
      onSealed: (sealed) => this.#records.addSealed(key, sealed),
      onImageNeeded: (need) => this.#images.request(need, snapshotIntervalMs),
      onChange: ({ sent }) => {
        if (sent !== undefined) this.#records.set(key, sent);
        for (const uploader of this.#uploaders) this.#health.confirmed(uploader);
        this.#statusFile.touch();
        this.#changed.notify();
        this.#area.free();
        this.#images.scheduleSnapshot();
      },
      isMakingImage: () => this.#images.isMaking,
      hangMs: Math.min(HANG_MS_MAX, options.maxLagMs),
      ownership: this.#context.ownership(target),
      ...{ clock, random, files, logger, databases },
    });
  }

  // --- startup --------------------------------------------------------------------------------

  /** The staging folder is locked and may be read and written from now on. */
  async #onOwned(): Promise<void> {
    await this.#records.load();
    await this.#area.compactor.load();
    this.#statusFile.begin();
    await this.#context.onOwned?.();
    const { clock, ready } = this.#context;
    if (ready === undefined) return this.#watch();
    this.#health.absent('no file');
    this.#condition.setState('waiting');
    const seen = ready.then(() => this.#health.absent('no file', clock.monotonic())); // nobody wrote yet
    seen.then(this.#watch, () => undefined); // the caller reports a rejection
  }

  readonly #watch = (): void => {
    if (this.#closed) return;
    this.#condition.setState('opening');
    const { options, targets, watch } = this.#context;
    const sentEverywhere = this.#records.lowestOf(targets.map(({ target }) => target));
    const order = { options, sentEverywhere, memory: this.#health.gauges.memory };
    this.#engine = watch(order, (event) => {
      this.#handling = this.#handling.then(() => this.#handle(event)).catch(this.#restart);
    });
    this.#health.gauges.livesIn(this.#engine.thread);
    serving(this.path, () => {
      for (const uploader of this.#uploaders) uploader.start();
    });
  };

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
        return await this.#onOpened(event);
      case 'imaging':
        this.#staged.backlog.gate(event.txid);
        this.#head = event.txid;
        this.#condition.imaging(event);
        return;
      case 'compared':
        this.#condition.compared(event);
        this.#wakeAll();
        this.#images.scheduleSnapshot();
        return;
      case 'progress':
        this.#context.onProgress(event);
        return;
      case 'staged':
        return await this.#onStaged(event);
      case 'full':
      case 'no-snapshot':
      case 'failed':
        noteFailure(event, this.#condition, this.#staged, this.#images);
        return;
      case 'notice':
        this.#context.logger[event.level](event.message);
        return;
    }
  }

  async #onOpened(event: OpenedEvent): Promise<void> {
    await this.#claim.renew();
    this.#condition.opened(event);
    if (event.after === 'start') {
      this.#images.requestDropped();
      this.#staged.reset(event.staged);
      this.#head = this.#staged.backlog.newest?.txid ?? 0n;
    } else this.#health.confirmStaged();
    this.#opened = event; // the backlog is known from here on
    for (const uploader of this.#uploaders) uploader.wake();
    await waitForListings({
      uploaders: this.#uploaders,
      ...{ changed: this.#changed, clock: this.#context.clock },
      isClosed: () => this.#closed,
    });
    const order = decideBeginning({
      ...event,
      records: this.#records.all(),
      destinations: this.#uploaders.map(toKnown),
    });
    if (this.#begun && order.mode !== 'resume') this.durability.interrupted();
    this.#condition.beginning(order, event);
    this.#begun = true;
    this.#area.compactor.begin();
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
    this.#staged.add(event, this.#images.scope);
    if (!this.#staged.backlog.isGated) this.#condition.setState('following');
    this.#wakeAll();
    this.#area.compactor.wake();
    await this.#staged.measure();
    this.#area.free();
  }

  #wakeAll(): void {
    for (const uploader of this.#uploaders) uploader.wake();
    this.#statusFile.touch();
    this.#changed.notify();
  }

  readonly #report = (error: unknown): void => this.#condition.report(error);
}
