/** An open database, followed: the loop of ticks, the cuts, the images. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ReplicationError } from '../error.ts';
import type { TXID } from '../ltx/txid.ts';
import { Checkpointer } from './sqlite/checkpointer.ts';
import type { Position } from './continuity/position.ts';
import { Cutter, type CutterContext } from './cut/cutter.ts';
import type { BeginOrder } from './engine.ts';
import type { EngineEvent, FollowStats } from './events.ts';
import type { Tick } from './follow.ts';
import { Freshness } from './freshness.ts';
import { Images, type ImageHost } from './images/images.ts';
import { LookLoop, type Look } from './loop.ts';
import { isStagingError } from './staging/staging-error.ts';
import { describeStanding } from './standing.ts';
import { Unsettled } from './unsettled.ts';
import type { FrameBatch } from '../wal/reader.ts';

/** How often the position is written for what checkpoints change: two fsyncs each time. */
const REFRESH_EVERY_MS = 500;
/** How long an end waits for the log to be empty. A log that others use is left to them. */
const REST_MS_MAX = 1_000;
/** Somebody waits for a look that is held, or for the log to be empty: the next look follows after this. */
const LOOK_AGAIN_MS = 10;
/** A writer that never pauses must not be cut into files of one commit each. */
const REST_CUTS_MAX = 3;

export interface FollowingContext extends CutterContext {
  /** The highest TXID that was ever given out here. */
  readonly lastTXID: bigint;
  readonly onFailure: (error: unknown) => void;
}

export class Following implements ImageHost {
  readonly #context: FollowingContext;
  readonly #cutter: Cutter;
  readonly #checkpointer: Checkpointer;
  readonly #images: Images;
  readonly #loop: LookLoop;
  readonly #unsettled: Unsettled;
  readonly #freshness: Freshness;
  #nextRefreshAt = 0;
  #ticks = 0;
  #lastTick: Tick | undefined;
  #phase: 'open' | 'ending' | 'failed' | 'closed' = 'open';
  #failure: unknown;

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
    this.#freshness = new Freshness(context.gauges, this.#cutter.hasMore ? 'held' : 'empty');
    this.#loop = new LookLoop({
      files: [path, `${path}-wal`],
      pollMs: options.monitorIntervalMs,
      clock: context.clock,
      look: this.#look,
      check,
      dueInMs: () => this.#cutter.dueInMs(),
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

  begin(order: BeginOrder): void {
    if (this.#cutter.head !== undefined) return;
    const { start } = this.#context.database;
    if (order.mode === 'resume' && start.kind === 'proved') {
      this.#cutter.begin(start.position);
      this.#loop.wake();
      return;
    }
    this.image(order);
  }

  /** Makes an image that is the next commit: until it is frozen nothing is cut. */
  image(order: { readonly floor: bigint; readonly why: string }): void {
    this.#images.image(order);
  }

  snapshot(): void {
    this.#images.snapshot();
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  wake(): void {
    this.#loop.wake();
  }

  imageStaged(txid: TXID, asOf: number): void {
    this.#freshness.imageIsWhole(txid, asOf);
    this.#noteSettled();
  }

  imageFailed(error: unknown): void {
    this.#fail(error);
  }

  /**
   * Cuts what is committed now. Where an image is being taken, resolves after it is staged. Rejects
   * where it cannot be seen how far the log is committed, where another file lies in the place of the
   * database, or where what was cut cannot be staged.
   */
  async sync(): Promise<bigint | undefined> {
    if (this.isImaging) await this.#images.settled();
    this.#requireFollowing();
    if (this.#cutter.head === undefined) return undefined;
    await this.untilVouched();
    const txid = this.#try(() => this.#cutter.cutRest());
    await this.#cutter.publisher.settled();
    this.#requireFollowing();
    return txid;
  }

  /** Whether an image is being made that is the next commit: a sync waits for it. */
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
   * Cuts what is left and lets go as an application does, so that no log lies beside a file that
   * somebody then replaces. The log stays where something of it is not staged: the next start needs it.
   * Rejects, after letting go, where it cannot be said that all was cut.
   */
  async end(): Promise<void> {
    if (this.#phase === 'open') this.#phase = 'ending';
    let needsLog = true;
    try {
      needsLog = !this.isImaging && (await this.#comeToRest()) === 'log is needed';
    } finally {
      await this.close(needsLog ? 'keep the log' : 'as the application');
    }
  }

  async close(how: 'keep the log' | 'as the application'): Promise<void> {
    if (this.#phase === 'closed') return;
    const kept = this.#phase === 'failed' ? 'keep the log' : how;
    this.#phase = 'closed';
    this.#failure ??= new ReplicationError('DATABASE_BUSY', 'the database is being closed');
    this.#loop.stop();
    await this.#images.settled();
    await this.#cutter.publisher.settled();
    this.#context.database.connections.close(kept);
    this.#context.database.wal.close();
  }

  readonly take = (batch: FrameBatch): void => {
    this.#context.database.guard.add(batch);
    this.#freshness.counted(batch.commits);
    this.#images.add(batch);
    this.#cutter.add(batch);
  };

  readonly #look = (): Look => {
    const { database, gauges } = this.#context;
    const { follower, wal, connections } = database;
    const tick = this.#tick();
    // Before the reader moves: its next mark may cover commits that are not held yet.
    if (tick.kind === 'held') this.#cutter.cutIfDue(); // else what is held may end inside a transaction
    let worked: 'idle' | 'worked' = 'idle';
    if (!this.#cutter.isPinned) {
      follower.follow(tick);
      worked = this.#checkpointer.run(tick);
      if (worked === 'worked') this.#tick(); // so that the guard knows of our own checkpoint
    }
    const held = this.#lastTick?.kind === 'held';
    this.#refreshPosition();
    this.#noteSettled();
    gauges.set('walSizeBytes', wal.sizeBytes());
    const { log, checkpointed, fresh } = tick;
    const behind = this.#lastTick?.kind === 'behind';
    const quiet = tick.kind === 'held' && worked === 'idle';
    const freshBytes = fresh * connections.pageSize;
    const { isAtRest: atRest } = follower;
    return { log, checkpointed, fresh, freshBytes, held, behind, quiet, atRest };
  };

  #tick(): Tick {
    const { clock, database } = this.#context;
    const { follower, guard } = database;
    const at = clock.monotonic();
    const tick = follower.tick(this.take);
    this.#ticks += 1;
    this.#lastTick = tick;
    if (tick.kind !== 'held') guard.checkNames(); // a WAL that is gone never settles
    this.#unsettled.saw(tick);
    if (tick.kind !== 'held') return tick;
    guard.observe(tick);
    guard.checkWhenDue(at, { log: tick.log, place: follower.place });
    this.#freshness.looked(at); // of a file that is still the one that we follow
    return tick;
  }

  /** Notes whether something is held that is not in a staged file. */
  #noteSettled(): void {
    const isAllStaged = !this.isImaging && this.#cutter.isAllStaged;
    this.#freshness.settled(isAllStaged ? 'staged' : 'pending');
  }

  readonly #emit = (event: EngineEvent): void => {
    if (event.kind === 'staged' && event.content === 'image') {
      this.#freshness.imageIsWhole(event.file.maxTXID, event.asOf);
    } else if (event.kind === 'staged' && event.content === 'increment') {
      const below = this.#images.isAnnounced ? 'image' : 'whole';
      this.#freshness.staged(event.file.maxTXID, event.asOf, below);
      this.#noteSettled();
    }
    this.#context.emit(event);
  };

  /**
   * Resolves when all is held that the reader's mark covers, before anything else runs: no frame beyond
   * can be in the file. Rejects where that is never so.
   */
  async untilHeld(): Promise<void> {
    for (;;) {
      this.#requireFollowing();
      const look = this.#try(this.#look); // which may move the reader
      if (look.held && this.#try(() => this.#tick()).kind === 'held') return;
      await sleep(look.behind ? 0 : LOOK_AGAIN_MS);
    }
  }

  /** The same, and the file is seen to be the one that was opened. */
  async untilVouched(): Promise<void> {
    for (;;) {
      await this.untilHeld();
      if (this.#try(() => this.#checkFile()) === 'vouched') return;
      await sleep(LOOK_AGAIN_MS); // somebody checkpoints
    }
  }

  /** Call right after a tick that was held, before the reader moves. */
  #checkFile(): 'vouched' | 'unexplained' {
    const { database, clock } = this.#context;
    return database.guard.check(clock.monotonic());
  }

  #requireFollowing(): void {
    if (this.#phase !== 'open' && this.#phase !== 'ending') throw this.#failure;
  }

  /** What fails here is a failure of the following, whoever asked for it. */
  #try<Result>(work: () => Result): Result {
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
    this.#failure = error;
    this.#loop.stop();
    this.#context.onFailure(error);
  };

  /** Nothing depends on a snapshot: if staging has no room for it, the rest goes on. */
  snapshotFailed(error: unknown): void {
    if (this.#phase !== 'open') return; // it was given up
    if (!isStagingError(error)) this.#fail(error);
    else this.#context.emit({ kind: 'no-snapshot', code: error.code, message: error.message });
  }

  /** A checkpoint changes what the file shows: the position follows, or the next start could prove nothing. */
  #refreshPosition(): void {
    const now = this.#context.clock.monotonic();
    if (this.#cutter.head === undefined || now < this.#nextRefreshAt) return;
    this.#nextRefreshAt = now + REFRESH_EVERY_MS;
    const position = this.#describeStanding();
    if (position !== undefined) this.#cutter.publisher.position(position);
  }

  #describeStanding(): Position | undefined {
    const { newest } = this.#cutter;
    const tick = this.#lastTick;
    if (newest === undefined || tick === undefined || this.isImaging) return undefined;
    const { database, clock } = this.#context;
    return describeStanding({ database, newest, tick, take: this.take, now: clock.now() });
  }

  /** Until all of the log is staged and in the database file, and the position says so. */
  async #comeToRest(): Promise<'log is needed' | 'log is not needed'> {
    const { connections, start, follower, guard } = this.#context.database;
    if (this.#cutter.head === undefined && start.kind === 'unproved') return 'log is not needed';
    this.#loop.stop();
    const { clock } = this.#context;
    const { publisher } = this.#cutter;
    const deadline = clock.monotonic() + REST_MS_MAX;
    for (let cuts = 0; cuts < REST_CUTS_MAX && clock.monotonic() < deadline;) {
      if (this.#cutter.hasMore) cuts += 1;
      await this.sync();
      const position = this.#describeStanding();
      if (position?.atRest === true) {
        publisher.position(position);
        if ((await publisher.settled()) === 'published') return 'log is not needed';
      }
      if (!this.#cutter.isPinned) {
        follower.follow(this.#tick());
        guard.checkNames();
        connections.checkpoint('PASSIVE');
      }
      await sleep(LOOK_AGAIN_MS);
    }
    return 'log is needed';
  }
}
