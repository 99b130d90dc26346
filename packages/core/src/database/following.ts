/** Follows an open database: runs the look loop, cuts, checkpoints and images. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ReplicationError } from '../error.ts';
import type { TXID } from '../ltx/txid.ts';
import { Checkpointer } from './sqlite/checkpointer.ts';
import { Cutter, type CutterContext } from './cut/cutter.ts';
import type { BeginOrder } from './engine.ts';
import type { EngineEvent, FollowStats } from './events.ts';
import type { Tick } from './follow.ts';
import { Freshness, type Times } from './freshness.ts';
import { Images, type ImageHost } from './images/images.ts';
import { LookLoop, type Look } from './loop.ts';
import { isStagingError } from './staging/staging-error.ts';
import { CurrentPosition } from './current-position.ts';
import type { OpenDatabases } from './open-databases.ts';
import { Rest } from './rest.ts';
import { Unsettled } from './unsettled.ts';
import { frameSizeBytes } from '../wal/header.ts';
import type { FrameBatch } from '../wal/reader.ts';

/** Time between looks while a caller waits for one. */
const RETRY_LOOK_MS = 10;

export interface FollowingContext extends CutterContext {
  /** The highest TXID ever assigned here. */
  readonly lastTXID: bigint;
  readonly onFailure: (error: unknown) => void;
  readonly openDatabases: OpenDatabases;
  /** Nothing was committed for `idleCloseMs`. Called again after that time if it stays open. */
  readonly onIdle: () => void;
}

export class Following implements ImageHost {
  readonly #context: FollowingContext;
  readonly #cutter: Cutter;
  readonly #checkpointer: Checkpointer;
  readonly #images: Images;
  readonly #loop: LookLoop;
  readonly #unsettled: Unsettled;
  readonly #freshness: Freshness;
  readonly #position: CurrentPosition;
  /** Closes the database when it is idle. */
  readonly rest: Rest;
  #ticks = 0;
  /** Number of `sync` calls in progress. */
  #syncs = 0;
  #lastTick: Tick | undefined;
  /** Start of the last tick that found everything committed to be held. */
  #heldAt = -Infinity;
  #phase: 'open' | 'ending' | 'failed' | 'closed' = 'open';
  #failure: unknown;
  #hasBegun = false;

  constructor(context: FollowingContext) {
    this.#context = context;
    const { database, options, emit } = context;
    const { path, connections, wal, follower } = database;
    const check = (): void => void database.guard.checkNames();
    this.#unsettled = new Unsettled(context.clock, path);
    this.#cutter = new Cutter(
      { ...context, emit: this.#emit },
      {
        mayWait: () => this.#phase === 'open',
        onMore: () => this.#loop.wake(),
        onError: this.#fail,
        beforeCut: () => this.#checkFile(),
        timesOfCut: () => this.#freshness.cut(),
      },
    );
    this.#position = new CurrentPosition({ ...context, cutter: this.#cutter, host: this });
    this.rest = new Rest({ ...context, cutter: this.#cutter, position: this.#position }, this);
    this.#freshness = new Freshness(context.gauges, this.#cutter.hasMore ? 'held' : 'empty');
    this.#loop = new LookLoop({
      files: [path, `${path}-wal`],
      pollMs: options.monitorIntervalMs,
      syncIntervalMs: options.syncIntervalMs,
      clock: context.clock,
      look: this.#look,
      check,
      dueInMs: () => Math.min(this.#cutter.dueInMs(), this.rest.dueInMs),
      onError: this.#fail,
      onNotice: (level, message) => emit({ kind: 'notice', level, message }),
    });
    this.#checkpointer = new Checkpointer({
      connections,
      wal,
      follower,
      limits: {
        minPages: options.minCheckpointPageCount,
        truncateBytes: options.truncatePageN * (connections.pageSize + 24),
        intervalMs: options.checkpointIntervalMs,
      },
      take: this.take,
      mayMove: () => !this.#cutter.isPinned,
      now: () => context.clock.monotonic(),
      onCheckpoint: (tookMs) => {
        context.gauges.add('checkpoints', 1);
        context.gauges.add('checkpointMicros', tookMs * 1_000);
      },
      onOverrun: (tookMs) => {
        const message = `the write barrier took ${Math.round(tookMs)} ms`;
        emit({ kind: 'notice', level: 'warn', message });
      },
      checkNames: check,
    });
    const [cutter, freshness] = [this.#cutter, this.#freshness];
    this.#images = new Images({ ...context, cutter, freshness }, this);
    this.#loop.wake();
  }

  /** Ignores further orders: one may be late, for an opening that has failed meanwhile. */
  begin(order: BeginOrder): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const { start } = this.#context.database;
    if (order.mode === 'resume' && start.kind === 'proved') {
      this.#cutter.begin(start.position);
      this.#loop.wake();
      return;
    }
    if (order.mode === 'changes') this.#images.changes(order);
    else this.image(order);
  }

  /** Makes an image under the next TXID. Nothing is cut until it is frozen. */
  image(order: { readonly floor: bigint; readonly why: string }): void {
    this.#images.image(order);
  }

  snapshot(): void {
    this.#images.snapshot();
  }

  get lastTick(): Tick | undefined {
    return this.#lastTick;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  wake(): void {
    this.#loop.wake();
  }

  imageStaged(txid: TXID, times: Times): void {
    this.#freshness.setImageComplete(txid, times);
    this.#recordPending();
  }

  imageFailed(error: unknown): void {
    this.#fail(error);
  }

  /**
   * Cuts everything committed so far. If an image is in progress, resolves after it is staged. Rejects
   * if SQLite cannot report how far the log is committed, if the database file was replaced, or if the
   * cut cannot be staged.
   */
  async sync(): Promise<bigint | undefined> {
    this.#syncs += 1;
    try {
      return await this.#sync();
    } finally {
      this.#syncs -= 1;
    }
  }

  async #sync(): Promise<bigint | undefined> {
    do {
      await this.#imagesSettled();
      if (this.#cutter.head === undefined) return undefined;
      await this.waitUntilVerified();
    } while (this.#isMakingImage && this.isOpen); // an image may have begun during the wait
    const txid = this.try(() => this.#cutter.cutRest());
    await this.#cutter.publisher.settled();
    this.#requireFollowing();
    return txid;
  }

  /** Another image may begin when one is finished. While it ends, images are abandoned. */
  async #imagesSettled(): Promise<void> {
    while (this.#isMakingImage) {
      await this.#images.settled();
      if (!this.isOpen) break;
    }
    this.#requireFollowing();
  }

  /** Before an image is requested, nothing is cut either, but there is nothing to wait for. */
  get #isMakingImage(): boolean {
    return this.isImaging && this.#images.isRunning;
  }

  /** A sync will be requested soon: a file that is cut now would only be one more. */
  expectSync(): void {
    this.#cutter.expectRequest();
  }

  /** Whether an image or the changes under the next TXID are in progress. A sync waits for them. */
  get isImaging(): boolean {
    return this.#cutter.isSuspended || this.#images.isAnnounced;
  }

  stats(): FollowStats {
    const { database } = this.#context;
    return {
      walSizeBytes: database.wal.sizeBytes(),
      log: this.#lastTick?.log ?? 0,
      checkpointed: this.#lastTick?.checkpointed ?? 0,
      ticks: this.#ticks,
      ...this.#checkpointer.counts,
    };
  }

  /**
   * Cuts the rest and closes like an application, so that no log is left beside a file that may be
   * replaced later. If part of the log is not staged, the log stays for the next start. Rejects, after
   * closing, if it is not certain that everything was cut.
   */
  async end(): Promise<void> {
    if (this.#phase === 'open') this.#phase = 'ending';
    let needsLog = true;
    try {
      needsLog = !this.isImaging && (await this.rest.drain()) === 'log is needed';
    } finally {
      await this.close(needsLog ? 'keep the log' : 'as the application');
    }
  }

  /** Whether everything held is staged, and nothing is being done. */
  get mayRest(): boolean {
    const isBusy = this.isImaging || this.#images.isRunning || this.#syncs > 0;
    return this.#phase === 'open' && !isBusy && this.#cutter.isAllStaged && !this.#cutter.isPinned;
  }

  /** Closes it at once. Call only if `mayRest`. */
  closeAtRest(): void {
    const { connections, wal, release } = this.#context.database;
    this.#phase = 'closed';
    this.#failure = new ReplicationError('DATABASE_BUSY', 'the database is closed: it is idle');
    this.#loop.stop();
    connections.close('keep the log');
    wal.close();
    release();
  }

  async close(how: 'keep the log' | 'as the application'): Promise<void> {
    if (this.#phase === 'closed') return;
    const kept = this.#phase === 'failed' ? 'keep the log' : how;
    this.#phase = 'closed';
    this.#failure ??= new ReplicationError('DATABASE_BUSY', 'the database is being closed');
    this.#loop.stop();
    await this.#images.settled();
    await this.#cutter.publisher.settled();
    const { connections, keep, wal } = this.#context.database;
    connections.close(kept);
    wal.close();
    keep();
  }

  readonly take = (batch: FrameBatch): void => {
    this.#context.database.guard.add(batch);
    const logBytes = batch.count * frameSizeBytes(batch.header.pageSize);
    const at = this.#context.clock.monotonic();
    this.#freshness.countCommits(batch.commits, { logBytes, at });
    this.#images.add(batch);
    this.#cutter.add(batch);
  };

  readonly #look = (): Look => {
    const { database, gauges } = this.#context;
    const { follower, wal, connections } = database;
    const tick = this.tick();
    // Cut before the reader moves: its next mark may cover commits that are not held yet.
    if (tick.kind === 'held') this.#cutter.cutIfDue(); // otherwise the held frames may end inside a transaction
    let worked: 'idle' | 'worked' = 'idle';
    if (!this.#cutter.isPinned) {
      follower.follow(tick);
      worked = this.#checkpointer.run(tick);
      if (worked === 'worked') this.tick(); // lets the guard see our own checkpoint
    }
    const isHeld = this.#lastTick?.kind === 'held';
    this.#position.refresh();
    this.#recordPending();
    this.rest.observe(tick.fresh > 0 || worked === 'worked' ? 'active' : 'idle');
    gauges.set('walSizeBytes', wal.sizeBytes());
    const { log, checkpointed, fresh } = tick;
    const isBehind = this.#lastTick?.kind === 'behind';
    const isQuiet = tick.kind === 'held' && worked === 'idle';
    const freshBytes = fresh * connections.pageSize;
    const { isAtRest } = follower;
    return { log, checkpointed, fresh, freshBytes, isHeld, isBehind, isQuiet, isAtRest };
  };

  /** Stops to look by itself. */
  stopLooking(): void {
    this.#loop.stop();
  }

  /** Reads new frames. */
  tick(): Tick {
    const { clock, database } = this.#context;
    const { follower, guard } = database;
    const at = clock.monotonic();
    const tick = follower.tick(this.take);
    this.#ticks += 1;
    this.#lastTick = tick;
    if (tick.kind !== 'held') guard.checkNames(); // a deleted WAL never settles
    this.#unsettled.observe(tick);
    if (tick.kind !== 'held') return tick;
    guard.observe(tick);
    guard.checkWhenDue(at, { log: tick.log, place: follower.place });
    this.#heldAt = at;
    this.#recordLook();
    return tick;
  }

  /** Everything committed by now is held, unless it went to another file since the last check. */
  #recordLook(): void {
    this.#freshness.setLookedAt(Math.min(this.#heldAt, this.#context.database.guard.verifiedAt));
  }

  /** Records whether everything held is staged. */
  #recordPending(): void {
    const isAllStaged = !this.isImaging && this.#cutter.isAllStaged;
    this.#freshness.setState(isAllStaged ? 'staged' : 'pending');
  }

  readonly #emit = (event: EngineEvent): void => {
    if (event.kind === 'staged' && event.content === 'image') {
      this.#freshness.setImageComplete(event.file.maxTXID, event);
    } else if (event.kind === 'staged' && event.content === 'increment') {
      const below = this.#images.isAnnounced ? 'image' : 'complete';
      this.#freshness.staged(event.file.maxTXID, event, below);
      this.#recordPending();
    }
    this.#context.emit(event);
  };

  /**
   * Resolves, before anything else runs, when everything that the reader's mark covers is held: no
   * frame beyond it can be in the file. Rejects if that does not happen.
   */
  async waitUntilHeld(): Promise<void> {
    for (;;) {
      this.#requireFollowing();
      const look = this.try(this.#look); // may move the reader
      if (look.isHeld && this.try(() => this.tick()).kind === 'held') return;
      await sleep(look.isBehind ? 0 : RETRY_LOOK_MS);
    }
  }

  /** Also verifies that the file is still the one that was opened. */
  async waitUntilVerified(): Promise<void> {
    for (;;) {
      await this.waitUntilHeld();
      if (this.try(() => this.#checkFile()) === 'verified') return;
      await sleep(RETRY_LOOK_MS); // a checkpoint may be running
    }
  }

  /** Call right after a tick of kind 'held', before the reader moves. */
  #checkFile(): 'verified' | 'unexplained' {
    const { database, clock } = this.#context;
    const found = database.guard.check(clock.monotonic());
    this.#recordLook();
    this.#recordPending(); // if everything was staged, it counts up to this check
    return found;
  }

  #requireFollowing(): void {
    if (this.#phase !== 'open' && this.#phase !== 'ending') throw this.#failure;
  }

  /** Runs `work`. An error also ends the following, whichever caller triggered it. */
  try<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  readonly #fail = (error: unknown): void => {
    if (this.#phase !== 'open' && this.#phase !== 'ending') return;
    this.#phase = 'failed';
    const { clock, database } = this.#context;
    this.#failure = database.guard.causeOf(error, clock.monotonic());
    this.#loop.stop();
    this.#context.onFailure(this.#failure);
  };

  /** Nothing depends on a snapshot. If there is no room for it, replication continues. */
  snapshotFailed(error: unknown): void {
    if (this.#phase !== 'open') return; // it was canceled
    if (!isStagingError(error)) this.#fail(error);
    else this.#context.emit({ kind: 'no-snapshot', code: error.code, message: error.message });
  }
}
