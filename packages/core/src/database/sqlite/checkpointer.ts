/** Carries out what checkpoint.ts decides, and keeps count. */

import type { WALReader } from '../../wal/reader.ts';
import { BARRIER_BUCKETS_MS } from '../events.ts';
import type { LogFollower, TakeFrames, Tick } from '../follow.ts';
import {
  afterBarrier,
  BARRIER_MS_MAX,
  CHECKPOINT_START,
  type CheckpointLimits,
  type CheckpointState,
  decideCheckpoint,
  observe,
  PASS_MS_MAX,
} from './checkpoint.ts';
import type { Connections } from './connections.ts';

const BUSY_WAIT_MS = 1;

export interface CheckpointerContext {
  readonly connections: Connections;
  readonly wal: WALReader;
  readonly follower: LogFollower;
  readonly limits: CheckpointLimits;
  readonly take: TakeFrames;
  /** Whether the reader may move: not while frames are held by their number only. */
  readonly mayMove: () => boolean;
  readonly now: () => number;
  readonly onOverrun: (tookMs: number) => void;
  /**
   * Throws where a path names another file than at the opening. A checkpoint would write what belongs
   * there into the file that we have open, and tell everybody that it is done.
   */
  readonly checkNames: () => void;
}

interface CheckpointCounts {
  checkpoints: number;
  barriers: number;
  barrierOverruns: number;
  barrierHistogram: number[];
}

export class Checkpointer {
  readonly #context: CheckpointerContext;
  readonly counts: CheckpointCounts = {
    checkpoints: 0,
    barriers: 0,
    barrierOverruns: 0,
    barrierHistogram: Array.from({ length: BARRIER_BUCKETS_MS.length + 1 }, () => 0),
  };
  #state: CheckpointState = CHECKPOINT_START;

  constructor(context: CheckpointerContext) {
    this.#context = context;
  }

  /** Looks at the log after a tick; answers whether a checkpoint was made: then look again soon. */
  run(tick: Tick): 'idle' | 'worked' {
    const { wal, follower, limits, now } = this.#context;
    const input = {
      now: now(),
      log: tick.log,
      checkpointed: tick.checkpointed,
      held: tick.kind === 'held',
      atRest: follower.isAtRest,
      // Matters only where nothing is left to backfill: elsewhere the question is saved.
      walSizeBytes: tick.log === tick.checkpointed ? wal.sizeBytes() : 0,
    };
    this.#state = observe(this.#state, input);
    const decision = decideCheckpoint(this.#state, input, limits);
    if (decision !== 'none') this.#context.checkNames();
    switch (decision) {
      case 'none':
        return 'idle';
      case 'passive':
        this.#pass(tick.checkpointed);
        return 'worked';
      case 'barrier':
        this.#barrier(tick.checkpointed);
        return 'worked';
      case 'truncate':
        this.#state = { ...this.#state, truncatedAt: input.now };
        this.#context.connections.checkpoint('TRUNCATE');
        this.counts.checkpoints += 1;
        return 'worked';
    }
  }

  /** A pass without lock: it goes as far as the reader's mark. Answers how long the rest may take, in ms. */
  #pass(checkpointed: number): number {
    const { connections, now } = this.#context;
    const before = now();
    const after = connections.checkpoint('PASSIVE');
    this.counts.checkpoints += 1;
    const tookMs = now() - before;
    this.#state = { ...this.#state, movedAt: now() };
    this.#follow();
    const undone = after.log - after.checkpointed;
    const done = after.checkpointed - checkpointed;
    if (undone === 0) return 0;
    return done > 0 ? (tookMs * undone) / done : tookMs;
  }

  /** A pass; and where writers never pause, the rest of it under the write lock. */
  #barrier(checkpointed: number): void {
    // That nothing is undone was so when the pass began: a writer has gone on, or the reader would rest.
    const restMs = this.#pass(checkpointed);
    const { connections, now } = this.#context;
    if (restMs > PASS_MS_MAX) return; // the next pass, at the next look, leaves less to do
    const before = now();
    const done = connections.withWriteLock(() => {
      this.#follow(); // nobody commits now: the reader stands at the log's end
      this.#backfill(before + BARRIER_MS_MAX / 2);
      this.#follow(); // everything is backfilled: it lands on lock 0, and the next writer restarts
    });
    if (done === 'busy') return;
    const tookMs = now() - before;
    this.#count(tookMs);
    this.#state = afterBarrier(this.#state, now(), tookMs);
  }

  /** A checkpoint that a writer began by itself is about to end: ours is busy until then. */
  #backfill(deadline: number): void {
    const { connections, now } = this.#context;
    while (connections.checkpoint('PASSIVE').busy && now() < deadline) pause(BUSY_WAIT_MS);
  }

  #follow(): void {
    const { follower, take, mayMove } = this.#context;
    const tick = follower.tick(take);
    if (mayMove()) follower.follow(tick);
  }

  #count(tookMs: number): void {
    this.counts.barriers += 1;
    const bucket = BARRIER_BUCKETS_MS.findIndex((limit) => tookMs <= limit);
    const index = bucket < 0 ? BARRIER_BUCKETS_MS.length : bucket;
    this.counts.barrierHistogram[index] = (this.counts.barrierHistogram[index] ?? 0) + 1;
    if (tookMs <= BARRIER_MS_MAX) return;
    this.counts.barrierOverruns += 1;
    this.#context.onOverrun(tookMs);
  }
}

/** Waits without letting anything else happen: the write lock is ours meanwhile. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
