/** An open database, followed: the loop of ticks, the cuts, the images. */

import { ReplicationError, assert } from '../error.ts';
import { toTXID, type TXID } from '../ltx/txid.ts';
import { Checkpointer } from './checkpointer.ts';
import { readerOfCurrent } from './current.ts';
import { beginCut, drawLineage } from './cut.ts';
import { headerOf } from './encode.ts';
import type { BeginOrder, EngineContext } from './engine.ts';
import type { FollowStats } from './events.ts';
import type { Tick } from './follow.ts';
import { Imaging } from './imaging.ts';
import type { OpenDatabase } from './opening.ts';
import { LookLoop, type Look } from './loop.ts';
import type { Staging } from './staging.ts';
import { Publisher } from './publisher.ts';
import { Tail, TAIL_BYTES_MAX } from './tail.ts';
import { lockPgno } from '../ltx/header.ts';
import type { FrameBatch } from '../wal/reader.ts';

export interface FollowingContext extends EngineContext {
  readonly staging: Staging;
  readonly database: OpenDatabase;
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
  #imaging: Imaging | undefined;
  #imagingTask: Promise<void> | undefined;
  #publisher: Publisher;
  /** TXID of an image that is announced and not staged yet. */
  #announced: TXID | undefined;
  #lastCutAt = 0;
  readonly #loop: LookLoop;
  /** Whether fresh frames go into the tail: not while an image is copied that will hold them all. */
  #collects: 'yes' | 'no';
  #stampedAt = 0;
  readonly #tailBytesMax: number;
  #ticks = 0;
  #lastTick: Tick | undefined;
  #phase: 'open' | 'failed' | 'closed' = 'open';

  constructor(context: FollowingContext) {
    this.#context = context;
    const { database, options } = context;
    const { start } = database;
    this.#tailBytesMax = context.tailBytesMax ?? TAIL_BYTES_MAX;
    this.#tail = start.kind === 'proved' ? start.tail : new Tail(context.now());
    this.#collects = start.kind === 'proved' ? 'yes' : 'no';
    this.#loop = new LookLoop({
      files: [options.path, `${options.path}-wal`],
      pollMs: options.monitorIntervalMs,
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
      now: () => performance.now(),
      onOverrun: (tookMs) => {
        const message = `the write barrier took ${Math.round(tookMs)} ms`;
        context.emit({ kind: 'notice', level: 'warn', message });
      },
    });
    this.#publisher = this.#newPublisher(0n);
    this.#loop.wake();
  }

  begin(order: BeginOrder): void {
    if (this.#head !== undefined) return;
    const { start } = this.#context.database;
    if (order.mode === 'resume' && start.kind === 'proved') {
      const { txid, commit, lineage } = start.position;
      this.#head = { txid, commit, lineage };
      this.#publisher = this.#newPublisher(txid);
      this.#loop.wake();
      return;
    }
    this.image(order);
  }

  /** Until it is frozen nothing is cut: the image is the next commit. */
  image(order: { readonly floor: bigint; readonly why: string }): void {
    this.#runImaging(async () => {
      const before = this.#head;
      this.#head = undefined;
      this.#collects = 'no';
      this.#tail = new Tail(this.#context.now());
      const imaging = await this.#copy('image');
      if (imaging === undefined) return;
      const txid = toTXID(max(order.floor, before?.txid, this.#context.newestStaged) + 1n);
      await this.#publishImage(imaging, txid, order.why);
    });
  }

  snapshot(): void {
    this.#runImaging(async () => {
      if (this.#head === undefined) return;
      const imaging = await this.#copy('snapshot');
      if (imaging !== undefined) await this.#publishSnapshot(imaging);
    });
  }

  /** Cuts what is committed now. Where an image is being taken, resolves after it is staged. */
  async sync(): Promise<bigint | undefined> {
    if (this.isImaging) await this.#imagingTask;
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

  async close(): Promise<void> {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#loop.stop();
    await this.#imagingTask;
    await this.#publisher.settled();
    this.#context.database.connections.close();
    this.#context.database.wal.close();
  }

  readonly #take = (batch: FrameBatch): void => {
    this.#imaging?.add(batch);
    if (this.#collects === 'yes') this.#tail.add(batch, this.#tailBytesMax);
  };

  readonly #look = (): Look => {
    const { follower } = this.#context.database;
    const tick = follower.tick(this.#take);
    this.#ticks += 1;
    this.#lastTick = tick;
    let worked: 'idle' | 'worked' = 'idle';
    if (!this.#isPinned) {
      follower.follow(tick);
      worked = this.#checkpointer.run(tick);
    }
    this.#cutIfDue();
    const quiet = tick.kind === 'held' && worked === 'idle';
    const { log, checkpointed, fresh } = tick;
    return { log, checkpointed, fresh, quiet, atRest: follower.isAtRest };
  };

  /** While pages of a cut or of the tail are held by frame number only, the log must stay as it is. */
  get #isPinned(): boolean {
    return this.#publisher.pinsLog || this.#tail.spilled;
  }

  readonly #check = (): void => {
    const { options, database } = this.#context;
    if (database.connections.isSameFile(options.path) && database.wal.isSameFile()) return;
    throw new ReplicationError(
      'DATABASE_INVALID',
      `${options.path} or its WAL was replaced or deleted while it was followed; it is opened anew`,
    );
  };

  readonly #dueInMs = (): number => {
    if (this.#tail.isEmpty || this.#head === undefined) return Infinity;
    return this.#lastCutAt + this.#context.options.syncIntervalMs - this.#context.now();
  };

  readonly #fail = (error: unknown): void => {
    if (this.#phase !== 'open') return;
    this.#phase = 'failed';
    this.#loop.stop();
    this.#context.onFailure(error);
  };

  /** Times of files never run backwards, whatever the clock does. */
  #stamp(): number {
    this.#stampedAt = Math.max(this.#stampedAt, this.#context.now());
    return this.#stampedAt;
  }

  #newPublisher(newestTXID: bigint): Publisher {
    const { staging, kernel, options, database, emit } = this.#context;
    const { wal } = database;
    const encoding = options.pageEncoding;
    const onError = this.#fail;
    return new Publisher({ staging, kernel, encoding, wal, emit, onError }, newestTXID);
  }

  // --- cuts -----------------------------------------------------------------------------------

  #cutIfDue(): void {
    if (this.#head === undefined || this.#tail.isEmpty || this.#publisher.isCutting) return;
    const { options, now } = this.#context;
    const due = now() - this.#lastCutAt >= options.syncIntervalMs;
    if (due || this.#tail.spilled || this.#tail.sizeBytes >= this.#tailBytesMax / 2) this.#cut();
  }

  #cut(): void {
    const { database, now } = this.#context;
    assert(this.#head !== undefined, 'files are cut only after begin');
    const { connections, wal, follower } = database;
    const cut = beginCut(this.#tail, {
      txid: toTXID(this.#head.txid + 1n),
      pageSize: connections.pageSize,
      commitBefore: this.#head.commit,
      now: this.#stamp(),
      place: follower.place,
      lineage: this.#head.lineage,
      readCurrent: readerOfCurrent(connections, wal, follower.place),
    });
    this.#head = { ...this.#head, txid: cut.txid, commit: cut.commit };
    this.#tail = new Tail(now());
    this.#lastCutAt = now();
    this.#publisher.cut(cut);
  }

  // --- images ---------------------------------------------------------------------------------

  #runImaging(work: () => Promise<void>): void {
    const task = (this.#imagingTask ?? Promise.resolve()).then(async () => {
      if (this.#phase !== 'open') return;
      try {
        await work();
      } catch (error) {
        this.#fail(error);
      } finally {
        this.#imaging?.close();
        this.#imaging = undefined;
      }
    });
    this.#imagingTask = task;
  }

  async #copy(name: string): Promise<Imaging | undefined> {
    const { database, staging, kernel, options, emit } = this.#context;
    const need = database.connections.fileSizeBytes();
    const spare = await staging.spareBytes();
    if (need > spare) {
      throw new ReplicationError(
        'STAGING_FULL',
        `take an image of ${need} bytes into ${staging.folder}: ${Math.max(0, Math.floor(spare))} ` +
          'bytes may be taken of its volume; free space there, or set meta-path',
      );
    }
    const imaging = Imaging.begin(
      {
        kernel,
        encoding: options.pageEncoding,
        connections: database.connections,
        wal: database.wal,
        follower: database.follower,
        staging,
        take: this.#take,
        stopped: () => this.#phase !== 'open',
        onProgress: (doneBytes, totalBytes) => emit({ kind: 'progress', doneBytes, totalBytes }),
      },
      name,
    );
    this.#imaging = imaging;
    this.#loop.wake();
    await imaging.copy();
    return this.#phase === 'open' ? imaging : undefined;
  }

  async #publishImage(imaging: Imaging, txid: TXID, why: string): Promise<void> {
    const { staging, emit, database } = this.#context;
    await staging.announceImage(txid);
    this.#announced = txid;
    this.#look(); // the image is the state after this look
    const { commit } = imaging.freeze();
    const rest = this.#readRest(imaging, commit);
    const lineage = drawLineage();
    const { place } = database.follower;
    const { pageSize } = database.connections;
    this.#head = { txid, commit, lineage };
    this.#collects = 'yes';
    emit({ kind: 'imaging', txid, why });
    const timestampMs = this.#stamp();
    const identity = { pageSize, commit, minTXID: txid, maxTXID: txid, lineage, timestampMs };
    const temporary = staging.temporary(`image-${txid}`);
    const sizeBytes = await imaging.write(temporary, headerOf(identity), rest);
    const image = { txid, temporary, sizeBytes, pageSize, commit, timestampMs };
    this.#publisher.image(image, place, lineage);
    await this.#publisher.settled();
    this.#announced = undefined;
  }

  async #publishSnapshot(imaging: Imaging): Promise<void> {
    const { staging, database } = this.#context;
    this.#look();
    if (!this.#tail.isEmpty) this.#cut();
    assert(this.#head !== undefined, 'a snapshot bears a TXID that was given out');
    const { txid, commit, lineage } = this.#head;
    imaging.freeze();
    const rest = this.#readRest(imaging, commit);
    const { pageSize } = database.connections;
    const maxTXID = toTXID(txid);
    const timestampMs = this.#stamp();
    const identity = { pageSize, commit, minTXID: toTXID(1), maxTXID, lineage, timestampMs };
    const temporary = staging.temporary(`snapshot-${txid}`);
    const sizeBytes = await imaging.write(temporary, headerOf(identity), rest);
    this.#publisher.snapshot({
      txid: maxTXID,
      temporary,
      sizeBytes,
      pageSize,
      commit,
      timestampMs,
    });
    await this.#publisher.settled();
  }

  #readRest(imaging: Imaging, commit: number): (pgno: number, into: Uint8Array) => void {
    const { connections, wal, follower } = this.#context.database;
    const current = readerOfCurrent(connections, wal, follower.place);
    const lock = lockPgno(connections.pageSize);
    const pages = new Map<number, Uint8Array>();
    for (const pgno of imaging.missing(commit)) if (pgno !== lock) pages.set(pgno, current(pgno));
    return (pgno, into) => {
      const page = pages.get(pgno);
      assert(page !== undefined, 'pages beyond the copy were read when the image was frozen');
      into.set(page);
    };
  }
}

function max(...values: (bigint | undefined)[]): bigint {
  return values.reduce<bigint>((a, b) => (b !== undefined && b > a ? b : a), 0n);
}
