/** An open database, followed: the loop of ticks, the cuts, the images. */

import { setTimeout } from 'node:timers/promises';
import { assert } from '../error.ts';
import { toTXID, type TXID } from '../ltx/txid.ts';
import { Checkpointer } from './checkpointer.ts';
import { readerOfCurrent } from './current.ts';
import { afterCut, cutDueInMs, fullBudget, type CutBudget } from './cut-budget.ts';
import { beginCut, drawLineage } from './cut.ts';
import type { BeginOrder } from './engine.ts';
import type { FollowStats } from './events.ts';
import type { Tick } from './follow.ts';
import { Imager, type ImagerContext } from './imager.ts';
import type { Imaging } from './imaging.ts';
import { LookLoop, type Look } from './loop.ts';
import type { Position, Staged } from './continuity/position.ts';
import { Publisher } from './publisher.ts';
import { nextStamp } from './stamps.ts';
import { describeStanding } from './standing.ts';
import { Tail, TAIL_BYTES_MAX } from './tail.ts';
import type { FrameBatch } from '../wal/reader.ts';

/** How often the position is written for what checkpoints change: two fsyncs each time. */
const REFRESH_EVERY_MS = 500;
/** How long an end waits for the log to be empty. A log that others use is left to them. */
const REST_MS_MAX = 1_000;
const REST_LOOK_MS = 10;
/** A writer that never pauses must not be cut into files of one commit each. */
const REST_CUTS_MAX = 3;

export interface FollowingContext extends ImagerContext {
  readonly newestStaged: TXID | undefined;
  readonly onFailure: (error: unknown) => void;
}

/** What is known of the newest TXID that was given out. */
interface Head {
  readonly txid: bigint;
  readonly commit: number;
  readonly lineage: bigint;
}

export class Following {
  readonly #context: FollowingContext;
  readonly #checkpointer: Checkpointer;
  /** undefined until `begin`: no file is cut before. */
  #head: Head | undefined;
  #tail: Tail;
  readonly #imager: Imager;
  #publisher: Publisher;
  /** TXID of an image that is announced and not staged yet. */
  #announced: TXID | undefined;
  #budget: CutBudget;
  readonly #loop: LookLoop;
  /** Whether fresh frames go into the tail: not while an image is copied that will hold them all. */
  #collects: 'yes' | 'no';
  #stampedAt = 0;
  #nextRefreshAt = 0;
  readonly #tailBytesMax: number;
  #ticks = 0;
  #lastTick: Tick | undefined;
  #phase: 'open' | 'failed' | 'closed' = 'open';

  constructor(context: FollowingContext) {
    this.#context = context;
    const { database, options } = context;
    const { start, path } = database;
    this.#tailBytesMax = context.tailBytesMax ?? TAIL_BYTES_MAX;
    this.#tail = start.kind === 'proved' ? start.tail : new Tail(context.clock);
    this.#collects = start.kind === 'proved' ? 'yes' : 'no';
    this.#budget = fullBudget(options.syncIntervalMs);
    this.#loop = new LookLoop({
      files: [path, `${path}-wal`],
      pollMs: options.monitorIntervalMs,
      clock: context.clock,
      look: this.#look,
      check: this.#check,
      dueInMs: this.#dueInMs,
      onError: this.#fail,
    });
    this.#checkpointer = new Checkpointer({
      connections: database.connections,
      wal: database.wal,
      follower: database.follower,
      limits: {
        minPages: options.minCheckpointPageCount,
        truncateBytes: options.truncatePageN * (database.connections.pageSize + 24),
        intervalMs: options.checkpointIntervalMs,
      },
      take: this.#take,
      mayMove: () => !this.#isPinned,
      now: () => context.clock.monotonic(),
      onOverrun: (tookMs) => {
        const message = `the write barrier took ${Math.round(tookMs)} ms`;
        context.emit({ kind: 'notice', level: 'warn', message });
      },
    });
    this.#imager = new Imager(context, {
      take: this.#take,
      isOpen: () => this.#phase === 'open',
      onBegin: () => this.#loop.wake(),
      onError: this.#fail,
    });
    this.#publisher = this.#newPublisher(undefined);
    this.#loop.wake();
  }

  begin(order: BeginOrder): void {
    if (this.#head !== undefined) return;
    const { start } = this.#context.database;
    if (order.mode === 'resume' && start.kind === 'proved') {
      const { txid, commit, lineage } = start.position;
      this.#head = { txid, commit, lineage };
      this.#publisher = this.#newPublisher(start.position);
      this.#loop.wake();
      return;
    }
    this.image(order);
  }

  /** Until it is frozen nothing is cut: the image is the next commit. */
  image(order: { readonly floor: bigint; readonly why: string }): void {
    this.#imager.run(async () => {
      const before = this.#head;
      this.#head = undefined;
      this.#collects = 'no';
      this.#tail = new Tail(this.#context.clock);
      const imaging = await this.#imager.copy('image');
      if (imaging === undefined) return;
      const txid = toTXID(max(order.floor, before?.txid, this.#context.newestStaged) + 1n);
      await this.#publishImage(imaging, txid, order.why);
    });
  }

  snapshot(): void {
    this.#imager.run(async () => {
      if (this.#head === undefined) return;
      const imaging = await this.#imager.copy('snapshot');
      if (imaging !== undefined) await this.#publishSnapshot(imaging);
    });
  }

  /** Cuts what is committed now. Where an image is being taken, resolves after it is staged. */
  async sync(): Promise<bigint | undefined> {
    if (this.isImaging) await this.#imager.settled();
    if (this.#phase !== 'open' || this.#head === undefined) return undefined;
    try {
      this.#look();
      if (!this.#tail.isEmpty) this.#cut();
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
    const { txid } = this.#head;
    return (await this.#publisher.settled()) === 'published' ? txid : undefined;
  }

  /** Whether an image is being made that is the next commit: a sync waits for it. */
  get isImaging(): boolean {
    return this.#collects === 'no' || this.#announced !== undefined;
  }

  stats(): FollowStats {
    const { database } = this.#context;
    return {
      walSizeBytes: database.wal.sizeBytes(),
      log: this.#lastTick?.log ?? 0,
      checkpointed: this.#lastTick?.checkpointed ?? 0,
      ticks: this.#ticks,
      checkpoints: this.#checkpointer.checkpoints,
      barriers: this.#checkpointer.barriers,
      barrierOverruns: this.#checkpointer.overruns,
      barrierHistogram: this.#checkpointer.barrierHistogram,
    };
  }

  /**
   * Cuts what is left and lets go as an application does, so that no log lies beside a file that
   * somebody then replaces. The log stays where something of it is not staged: the next start needs it.
   */
  async end(): Promise<void> {
    const needsLog = !this.isImaging && (await this.#comeToRest()) === 'log is needed';
    await this.close(needsLog ? 'keep the log' : 'as the application');
  }

  async close(how: 'keep the log' | 'as the application'): Promise<void> {
    if (this.#phase === 'closed') return;
    const kept = this.#phase === 'failed' ? 'keep the log' : how;
    this.#phase = 'closed';
    this.#loop.stop();
    await this.#imager.settled();
    await this.#publisher.settled();
    this.#context.database.connections.close(kept);
    this.#context.database.wal.close();
  }

  readonly #take = (batch: FrameBatch): void => {
    this.#context.database.guard.add(batch);
    this.#imager.add(batch);
    if (this.#collects === 'yes') this.#tail.add(batch, this.#tailBytesMax);
  };

  readonly #look = (): Look => {
    const { follower } = this.#context.database;
    const tick = this.#tick();
    let worked: 'idle' | 'worked' = 'idle';
    if (!this.#isPinned) {
      follower.follow(tick);
      worked = this.#checkpointer.run(tick);
      if (worked === 'worked') this.#tick(); // so that the guard knows of our own checkpoint
    }
    this.#cutIfDue();
    this.#refreshPosition();
    const quiet = tick.kind === 'held' && worked === 'idle';
    const { log, checkpointed, fresh } = tick;
    return { log, checkpointed, fresh, quiet, atRest: follower.isAtRest };
  };

  #tick(): Tick {
    const { follower, guard } = this.#context.database;
    const tick = follower.tick(this.#take);
    this.#ticks += 1;
    this.#lastTick = tick;
    if (tick.kind === 'unsettled') {
      guard.checkNames(); // a WAL that is gone never settles
      return tick;
    }
    guard.observe(tick);
    const now = this.#context.clock.monotonic();
    if (guard.isDue(now)) guard.check(now, { log: tick.log, place: follower.place });
    return tick;
  }

  /** While pages of a cut or of the tail are held by frame number only, the log must stay as it is. */
  get #isPinned(): boolean {
    return this.#publisher.pinsLog || this.#tail.spilled;
  }

  readonly #check = (): void => {
    this.#context.database.guard.checkNames();
  };

  readonly #dueInMs = (): number => {
    if (this.#tail.isEmpty || this.#head === undefined) return Infinity;
    return cutDueInMs(this.#budget, this.#context.clock.monotonic());
  };

  readonly #fail = (error: unknown): void => {
    if (this.#phase !== 'open') return;
    this.#phase = 'failed';
    this.#loop.stop();
    this.#context.onFailure(error);
  };

  #stamp(): number {
    this.#stampedAt = nextStamp(this.#stampedAt, this.#context.clock.now());
    return this.#stampedAt;
  }

  #newPublisher(position: Position | undefined): Publisher {
    const { staging, kernel, options, database, emit } = this.#context;
    const { wal, guard } = database;
    const encoding = options.pageEncoding;
    const onError = this.#fail;
    return new Publisher({ staging, kernel, encoding, wal, guard, emit, onError }, position);
  }

  // --- what a start finds ---------------------------------------------------------------------

  /** What the position would say of the newest staged file; undefined while something is not staged. */
  get #newest(): Staged | undefined {
    const { start, connections } = this.#context.database;
    if (!this.#tail.isEmpty || !this.#publisher.isIdle || this.isImaging) return undefined;
    const { pageSize } = connections;
    if (this.#head !== undefined) return { ...this.#head, txid: toTXID(this.#head.txid), pageSize };
    return start.kind === 'proved' ? start.position : undefined;
  }

  /** A checkpoint changes what the file shows: the position follows, or the next start could prove nothing. */
  #refreshPosition(): void {
    const now = this.#context.clock.monotonic();
    if (this.#head === undefined || now < this.#nextRefreshAt) return;
    this.#nextRefreshAt = now + REFRESH_EVERY_MS;
    const position = this.#describeStanding();
    if (position !== undefined) this.#publisher.position(position);
  }

  #describeStanding(): Position | undefined {
    const newest = this.#newest;
    const tick = this.#lastTick;
    if (newest === undefined || tick === undefined) return undefined;
    const { database, clock } = this.#context;
    return describeStanding({ database, newest, tick, take: this.#take, now: clock.now() });
  }

  /** Until all of the log is staged and in the database file, and the position says so. */
  async #comeToRest(): Promise<'log is needed' | 'log is not needed'> {
    const { connections, start, follower } = this.#context.database;
    if (this.#head === undefined && start.kind === 'unproved') return 'log is not needed';
    this.#loop.stop();
    const { clock } = this.#context;
    const deadline = clock.monotonic() + REST_MS_MAX;
    for (let cuts = 0; cuts < REST_CUTS_MAX && clock.monotonic() < deadline;) {
      if (!this.#tail.isEmpty) cuts += 1;
      await this.sync();
      if (this.#phase !== 'open') return 'log is needed';
      const position = this.#describeStanding();
      if (position?.atRest === true) {
        this.#publisher.position(position);
        if ((await this.#publisher.settled()) === 'published') return 'log is not needed';
      }
      if (!this.#isPinned) {
        follower.follow(this.#tick());
        connections.checkpoint('PASSIVE');
      }
      await setTimeout(REST_LOOK_MS);
    }
    return 'log is needed';
  }

  // --- cuts -----------------------------------------------------------------------------------

  #cutIfDue(): void {
    if (this.#head === undefined || this.#tail.isEmpty || this.#publisher.isCutting) return;
    const isDue = cutDueInMs(this.#budget, this.#context.clock.monotonic()) === 0;
    if (isDue || this.#tail.spilled || this.#tail.sizeBytes >= this.#tailBytesMax / 2) this.#cut();
  }

  #cut(): void {
    const { database, clock } = this.#context;
    assert(this.#head !== undefined, 'files are cut only after begin');
    const { connections, wal, follower } = database;
    const cut = beginCut(this.#tail, {
      txid: toTXID(this.#head.txid + 1n),
      pageSize: connections.pageSize,
      commitBefore: this.#head.commit,
      timestampMs: this.#stamp(),
      place: follower.place,
      lineage: this.#head.lineage,
      readCurrent: readerOfCurrent(connections, wal, follower.place),
    });
    this.#head = { ...this.#head, txid: cut.txid, commit: cut.commit };
    this.#tail = new Tail(clock);
    this.#budget = afterCut(this.#budget, this.#context.clock.monotonic());
    this.#publisher.cut(cut);
  }

  // --- images ---------------------------------------------------------------------------------

  async #publishImage(imaging: Imaging, txid: TXID, why: string): Promise<void> {
    const { staging, emit, database } = this.#context;
    await staging.announceImage(txid);
    this.#announced = txid;
    this.#look(); // the image is the state after this look
    const { commit } = imaging.freeze();
    const rest = this.#imager.readRest(imaging, commit);
    const lineage = drawLineage();
    const { place } = database.follower;
    const { pageSize } = database.connections;
    this.#head = { txid, commit, lineage };
    this.#collects = 'yes';
    emit({ kind: 'imaging', txid, why });
    const range = { minTXID: txid, maxTXID: txid };
    const identity = { ...range, pageSize, commit, lineage, timestampMs: this.#stamp() };
    const image = await this.#imager.write(imaging, rest, identity);
    this.#publisher.image(image, place, lineage);
    await this.#publisher.settled();
    this.#announced = undefined;
  }

  async #publishSnapshot(imaging: Imaging): Promise<void> {
    this.#look();
    if (!this.#tail.isEmpty) this.#cut();
    assert(this.#head !== undefined, 'a snapshot bears a TXID that was given out');
    const { txid, commit, lineage } = this.#head;
    imaging.freeze();
    const rest = this.#imager.readRest(imaging, commit);
    const { pageSize } = this.#context.database.connections;
    const range = { minTXID: toTXID(1), maxTXID: toTXID(txid) };
    const identity = { ...range, pageSize, commit, lineage, timestampMs: this.#stamp() };
    this.#publisher.snapshot(await this.#imager.write(imaging, rest, identity));
    await this.#publisher.settled();
  }
}

function max(...values: (bigint | undefined)[]): bigint {
  return values.reduce<bigint>((a, b) => (b !== undefined && b > a ? b : a), 0n);
}
