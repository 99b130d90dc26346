/** Runs the checkpoints that checkpoint.ts decides on, and counts them. */

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
  /** Whether the reader may move: not while pages are held by frame number only. */
  readonly mayMove: () => boolean;
  readonly now: () => number;
  readonly onCheckpoint: (tookMs: number) => void;
  readonly onOverrun: (tookMs: number) => void;
  /**
   * Throws if a path names another file than the one opened. A checkpoint would write frames of the new
   * file into the old one, and mark them as backfilled.
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

  /** Runs a checkpoint if one is due. Call after a tick. After 'worked', look at the log again soon. */
  run(tick: Tick): 'idle' | 'worked' {
    const { wal, follower, limits, now } = this.#context;
    const input = {
      now: now(),
      log: tick.log,
      checkpointed: tick.checkpointed,
      isHeld: tick.kind === 'held',
      isAtRest: follower.isAtRest,
      // Needed only if everything is backfilled; otherwise the stat call is saved.
      walSizeBytes: tick.log === tick.checkpointed ? wal.sizeBytes() : 0,
    };
    this.#state = observe(this.#state, input);
    const decision = decideCheckpoint(this.#state, input, limits);
    if (decision !== 'none') this.#context.checkNames();
    switch (decision) {
      case 'none':
        return 'idle';
      case 'passive':
        this.#checkpointPassive(tick.checkpointed);
        return 'worked';
      case 'barrier':
        this.#barrier(tick.checkpointed);
        return 'worked';
      case 'truncate':
        this.#state = { ...this.#state, truncatedAt: input.now };
        this.#context.connections.checkpoint('TRUNCATE');
        this.#countCheckpoint(now() - input.now);
        return 'worked';
    }
  }

  /**
   * A PASSIVE checkpoint, which stops at the reader's mark. Returns the estimated time for the rest, in
   * ms.
   */
  #checkpointPassive(checkpointed: number): number {
    const { connections, now } = this.#context;
    const before = now();
    const after = connections.checkpoint('PASSIVE');
    const tookMs = now() - before;
    this.#countCheckpoint(tookMs);
    this.#state = { ...this.#state, movedAt: now() };
    this.#follow();
    const pending = after.log - after.checkpointed;
    const done = after.checkpointed - checkpointed;
    if (pending === 0) return 0;
    return done > 0 ? (tookMs * pending) / done : tookMs;
  }

  /** A PASSIVE checkpoint, and the rest of it under the write lock, because writers never pause. */
  #barrier(checkpointed: number): void {
    // Even with an estimate of 0 the lock is needed: a writer has committed since the checkpoint began.
    const restMs = this.#checkpointPassive(checkpointed);
    const { connections, now } = this.#context;
    if (restMs > PASS_MS_MAX) return; // the next PASSIVE checkpoint will leave less to do
    const before = now();
    const done = connections.withWriteLock(() => {
      this.#follow(); // nobody can commit now, so the reader is at the end of the log
      this.#backfill(before + BARRIER_MS_MAX / 2);
      this.#follow(); // everything is backfilled: the reader takes lock 0, and the next writer restarts the log
    });
    if (done === 'busy') return;
    const tookMs = now() - before;
    this.#count(tookMs);
    this.#state = afterBarrier(this.#state, now(), tookMs);
  }

  /** Retries while a writer still runs a checkpoint of its own, which makes ours busy. */
  #backfill(deadline: number): void {
    const { connections, now } = this.#context;
    while (connections.checkpoint('PASSIVE').busy && now() < deadline) pause(BUSY_WAIT_MS);
  }

  #follow(): void {
    const { follower, take, mayMove } = this.#context;
    const tick = follower.tick(take);
    if (mayMove()) follower.follow(tick);
  }

  #countCheckpoint(tookMs: number): void {
    this.counts.checkpoints += 1;
    this.#context.onCheckpoint(tookMs);
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

/** Blocks the thread, because we hold the write lock. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
