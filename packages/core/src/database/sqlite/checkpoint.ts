/**
 * Our checkpoints do only what the application leaves undone. Its own autocheckpoint works beside
 * us, and of two checkpoints at once the second is busy.
 *
 * Under constant writing the log never stands still: then W takes the write lock, and writes nothing,
 * while the rest is read and backfilled: a barrier, which is meant to be short and rare.
 */

/** How long the write lock should be ours at most; fsyncs inside a checkpoint cannot be interrupted. */
export const BARRIER_MS_MAX = 100;
/** The rest of a pass without lock is done under the lock if it should take no longer. */
export const PASS_MS_MAX = 30;
/** The log may grow to this many times `minCheckpointPages` before a barrier ends its cycle. */
const BARRIER_FACTOR = 3;
/** The application is given this long to checkpoint by itself. */
export const UNTOUCHED_MS = 1_000;
/** After a barrier that took too long the wait doubles up to this. */
const BARRIER_WAIT_MS_MAX = 60_000;
/** At most so often a long, fully backfilled log is cut short. */
const TRUNCATE_EVERY_MS = 5_000;

export interface CheckpointLimits {
  /** Pages in the log from which it is worth a checkpoint. */
  readonly minPages: number;
  /** Bytes of WAL file from which it is truncated. */
  readonly truncateBytes: number;
  /** Age of frames that nobody has checkpointed; 0 = never for their age. */
  readonly intervalMs: number;
}

export interface CheckpointState {
  /** When `checkpointed` last moved. */
  readonly movedAt: number;
  /** Since when there have been frames that are not backfilled; undefined while there are none. */
  readonly undoneSince: number | undefined;
  readonly barrierNotBefore: number;
  readonly barrierWaitMs: number;
  readonly truncatedAt: number;
  readonly checkpointed: number;
}

export interface CheckpointInput {
  readonly now: number;
  readonly log: number;
  readonly checkpointed: number;
  readonly held: boolean;
  readonly atRest: boolean;
  readonly walSizeBytes: number;
}

export type CheckpointDecision = 'none' | 'passive' | 'barrier' | 'truncate';

export const CHECKPOINT_START: CheckpointState = {
  movedAt: 0,
  undoneSince: undefined,
  barrierNotBefore: 0,
  barrierWaitMs: BARRIER_MS_MAX,
  truncatedAt: 0,
  checkpointed: -1,
};

/** The state after having seen the log as it is now. */
export function observe(state: CheckpointState, input: CheckpointInput): CheckpointState {
  const moved = input.checkpointed !== state.checkpointed;
  const undone = input.log > input.checkpointed;
  return {
    ...state,
    checkpointed: input.checkpointed,
    movedAt: moved ? input.now : state.movedAt,
    undoneSince:
      undone && !moved ? (state.undoneSince ?? input.now) : undone ? input.now : undefined,
  };
}

export function decideCheckpoint(
  state: CheckpointState,
  input: CheckpointInput,
  limits: CheckpointLimits,
): CheckpointDecision {
  if (!input.held || input.log === 0) return 'none';
  const undone = input.log - input.checkpointed;
  if (undone === 0) {
    const long = input.walSizeBytes > limits.truncateBytes;
    const due = input.now - state.truncatedAt >= TRUNCATE_EVERY_MS;
    return long && due && input.atRest ? 'truncate' : 'none';
  }
  if (input.log >= limits.minPages * BARRIER_FACTOR && input.now >= state.barrierNotBefore) {
    return 'barrier';
  }
  if (input.log >= limits.minPages && input.now - state.movedAt >= UNTOUCHED_MS) return 'passive';
  const since = state.undoneSince ?? input.now;
  return limits.intervalMs > 0 && input.now - since >= limits.intervalMs ? 'passive' : 'none';
}

/** The state after a barrier that held the lock for `tookMs`. */
export function afterBarrier(state: CheckpointState, now: number, tookMs: number): CheckpointState {
  const over = tookMs > BARRIER_MS_MAX;
  const wait = over ? Math.min(state.barrierWaitMs * 2, BARRIER_WAIT_MS_MAX) : BARRIER_MS_MAX;
  return { ...state, barrierWaitMs: wait, barrierNotBefore: now + (over ? wait : 0) };
}
