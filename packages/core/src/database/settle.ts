/** Pure decisions of the settle loop: when to look again, and when to stop. */

/** First delay. A commit is normally staged within this time. */
const SETTLE_MS_MIN = 10;
/** Maximum delay. Checkpoints of the application wait for the reader about this long. */
export const SETTLE_MS_MAX = 50;
/** Maximum delay for an application that writes small amounts continuously: half as many looks suffice. */
export const STEADY_MS_MAX = 100;
/** A log that has been changing for this long is considered steady. */
const STEADY_AFTER_MS = 1_000;
/** Maximum bytes per look for STEADY_MS_MAX. The frames of a faster writer would take too much of the tail. */
export const STEADY_BYTES_MAX: number = 256 * 1024;
/**
 * The log has settled if nothing has changed for this long. A checkpoint publishes its progress after its
 * last file event; it is missed only if that takes longer than this.
 */
export const QUIET_MS = 1_000;

/**
 * After this time without a change the files are watched again, so that the next commit is seen
 * immediately. Under constant writing, each event would cost more than a look.
 */
export const STILL_MS = 100;

export interface SettleState {
  readonly delayMs: number;
  readonly beganAt: number;
  readonly log: number;
  readonly checkpointed: number;
  /** When `log` or `checkpointed` last changed, in ms. */
  readonly movedAt: number;
  /** Whether nothing has changed for STILL_MS. */
  readonly isStill: boolean;
}

export interface SettleInput {
  readonly now: number;
  readonly log: number;
  readonly checkpointed: number;
  readonly isHeld: boolean;
  readonly isAtRest: boolean;
  /** Size of the new frames. */
  readonly freshBytes: number;
  /** Time between two L0 files. Looks are no rarer, so that commits this far apart get files of their own. */
  readonly syncIntervalMs: number;
}

export function beginSettling(now: number): SettleState {
  return {
    delayMs: SETTLE_MS_MIN,
    beganAt: now,
    log: -1,
    checkpointed: -1,
    movedAt: now,
    isStill: false,
  };
}

/**
 * The next state, or 'settled' if the log is held, and either the reader is at rest or nothing has changed
 * for QUIET_MS.
 */
export function settle(state: SettleState, input: SettleInput): SettleState | 'settled' {
  const moved = state.log !== input.log || state.checkpointed !== input.checkpointed;
  const movedAt = moved ? input.now : state.movedAt;
  if (input.isHeld && (input.isAtRest || input.now - movedAt >= QUIET_MS)) return 'settled';
  const isSteady = input.now - state.beganAt >= STEADY_AFTER_MS;
  const isLittle = input.freshBytes <= STEADY_BYTES_MAX;
  const delayMsMax = isSteady && isLittle ? STEADY_MS_MAX : SETTLE_MS_MAX;
  return {
    delayMs: Math.max(SETTLE_MS_MIN, Math.min(state.delayMs * 2, delayMsMax, input.syncIntervalMs)),
    beganAt: state.beganAt,
    log: input.log,
    checkpointed: input.checkpointed,
    movedAt,
    isStill: input.isHeld && input.now - movedAt >= STILL_MS,
  };
}
