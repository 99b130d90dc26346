/** Carries out what checkpoint.ts decides, and keeps count. */

import {
  afterBarrier,
  BARRIER_MS_MAX,
  CHECKPOINT_START,
  decideCheckpoint,
  observe,
  PASS_MS_MAX,
  type CheckpointLimits,
  type CheckpointState,
} from './checkpoint.ts';
import type { Connections } from './connections.ts';
import { BARRIER_BUCKETS_MS } from './events.ts';
import type { LogFollower, TakeFrames, Tick } from './follow.ts';
import type { WALReader } from '../wal/reader.ts';

export interface CheckpointerContext {
  readonly connections: Connections;
  readonly wal: WALReader;
  readonly follower: LogFollower;
  readonly limits: CheckpointLimits;
  readonly take: TakeFrames;
  readonly now: () => number;
  readonly onOverrun: (tookMs: number) => void;
}

export class Checkpointer {
  readonly #context: CheckpointerContext;
  readonly barrierHistogram: number[] = Array.from(
    { length: BARRIER_BUCKETS_MS.length + 1 },
    () => 0,
  );
  checkpoints = 0;
  barriers = 0;
  overruns = 0;
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
      walSizeBytes: wal.sizeBytes(),
    };
    this.#state = observe(this.#state, input);
    const decision = decideCheckpoint(this.#state, input, limits);
    switch (decision) {
      case 'none':
        return 'idle';
      case 'passive':
        this.#pass();
        return 'worked';
      case 'barrier':
        this.#barrier();
        return 'worked';
      case 'truncate':
        this.#state = { ...this.#state, truncatedAt: input.now };
        this.#context.connections.checkpoint('TRUNCATE');
        this.checkpoints += 1;
        return 'worked';
    }
  }

  /** A pass without lock: it goes as far as the reader's mark. */
  #pass(): { undone: number } {
    const { connections, now } = this.#context;
    const before = now();
    const after = connections.checkpoint('PASSIVE');
    this.checkpoints += 1;
    this.#state = { ...this.#state, lastPassMs: now() - before, movedAt: now() };
    this.#follow();
    return { undone: after.log - after.checkpointed };
  }

  /** A pass; and where writers never pause, the rest of it under the write lock. */
  #barrier(): void {
    const { undone } = this.#pass();
    const { connections, now } = this.#context;
    if (undone === 0) return;
    if (this.#state.lastPassMs > PASS_MS_MAX) {
      this.#state = afterBarrier(this.#state, now(), BARRIER_MS_MAX + this.#state.lastPassMs);
      return;
    }
    const before = now();
    const done = connections.withWriteLock(() => {
      this.#follow(); // nobody commits now: the reader stands at the log's end
      connections.checkpoint('PASSIVE');
      this.#follow(); // everything is backfilled: it lands on lock 0, and the next writer restarts
    });
    if (done === 'busy') return;
    const tookMs = now() - before;
    this.#count(tookMs);
    this.#state = afterBarrier(this.#state, now(), tookMs);
  }

  #follow(): void {
    const { follower, take } = this.#context;
    follower.follow(follower.tick(take));
  }

  #count(tookMs: number): void {
    this.barriers += 1;
    const bucket = BARRIER_BUCKETS_MS.findIndex((limit) => tookMs <= limit);
    const index = bucket < 0 ? BARRIER_BUCKETS_MS.length : bucket;
    this.barrierHistogram[index] = (this.barrierHistogram[index] ?? 0) + 1;
    if (tookMs <= BARRIER_MS_MAX) return;
    this.overruns += 1;
    this.#context.onOverrun(tookMs);
  }
}
