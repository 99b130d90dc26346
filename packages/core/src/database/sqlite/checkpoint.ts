/**
 * Decides when Sluice checkpoints: only if the application does not. The application's own
 * autocheckpoint runs beside us, and of two concurrent checkpoints the second is busy.
 *
 * Under constant writing the log never becomes idle. Then connection W takes the write lock, without
 * writing, while the rest of the log is read and backfilled. Such a barrier should be short and rare.
 */

/** Target for the maximum time we hold the write lock. A checkpoint cannot be interrupted during fsync. */
export const BARRIER_MS_MAX = 100;
/** The rest of a PASSIVE checkpoint runs under the write lock if it is estimated to take at most this long. */
export const PASS_MS_MAX = 30;
/** The log may grow to this many times `minPages` before a barrier makes it restart. */
const BARRIER_FACTOR = 3;
/** The application has this long to checkpoint by itself. */
export const APPLICATION_WAIT_MS = 1_000;
/** The wait doubles after each barrier that took too long, up to this. */
const BARRIER_WAIT_MS_MAX = 60_000;
/** Minimum time between TRUNCATE checkpoints. */
const TRUNCATE_EVERY_MS = 5_000;

export interface CheckpointLimits {
  /** Minimum number of pages in the log for a checkpoint. */
  readonly minPages: number;
  /** The WAL file is truncated if it is larger than this. */
  readonly truncateBytes: number;
  /** Maximum age of frames that are not checkpointed; 0 = no limit. */
  readonly intervalMs: number;
}

export interface CheckpointState {
  /** When `checkpointed` last changed. */
  readonly movedAt: number;
  /** Since when some frames have not been backfilled; undefined if all are. */
  readonly pendingSince: number | undefined;
  readonly barrierNotBefore: number;
  readonly barrierWaitMs: number;
  readonly truncatedAt: number;
  readonly checkpointed: number;
}

export interface CheckpointInput {
  readonly now: number;
  readonly log: number;
  readonly checkpointed: number;
  readonly isHeld: boolean;
  readonly isAtRest: boolean;
  readonly walSizeBytes: number;
}

export type CheckpointDecision = 'none' | 'passive' | 'barrier' | 'truncate';

export const CHECKPOINT_START: CheckpointState = {
  movedAt: 0,
  pendingSince: undefined,
  barrierNotBefore: 0,
  barrierWaitMs: BARRIER_MS_MAX,
  truncatedAt: 0,
  checkpointed: -1,
};

/** The state after a look at the log. */
export function observe(state: CheckpointState, input: CheckpointInput): CheckpointState {
  const moved = input.checkpointed !== state.checkpointed;
  const hasPending = input.log > input.checkpointed;
  return {
    ...state,
    checkpointed: input.checkpointed,
    movedAt: moved ? input.now : state.movedAt,
    pendingSince:
      hasPending && !moved ? (state.pendingSince ?? input.now) : hasPending ? input.now : undefined,
  };
}

export function decideCheckpoint(
  state: CheckpointState,
  input: CheckpointInput,
  limits: CheckpointLimits,
): CheckpointDecision {
  if (!input.isHeld || input.log === 0) return 'none';
  const pending = input.log - input.checkpointed;
  if (pending === 0) {
    const isLong = input.walSizeBytes > limits.truncateBytes;
    const isDue = input.now - state.truncatedAt >= TRUNCATE_EVERY_MS;
    return isLong && isDue && input.isAtRest ? 'truncate' : 'none';
  }
  if (input.log >= limits.minPages * BARRIER_FACTOR && input.now >= state.barrierNotBefore) {
    return 'barrier';
  }
  if (input.log >= limits.minPages && input.now - state.movedAt >= APPLICATION_WAIT_MS)
    return 'passive';
  const since = state.pendingSince ?? input.now;
  return limits.intervalMs > 0 && input.now - since >= limits.intervalMs ? 'passive' : 'none';
}

/** The state after a barrier that held the write lock for `tookMs`. */
export function afterBarrier(state: CheckpointState, now: number, tookMs: number): CheckpointState {
  const isOverrun = tookMs > BARRIER_MS_MAX;
  const wait = isOverrun ? Math.min(state.barrierWaitMs * 2, BARRIER_WAIT_MS_MAX) : BARRIER_MS_MAX;
  return { ...state, barrierWaitMs: wait, barrierNotBefore: now + (isOverrun ? wait : 0) };
}
