/** When to look again, and when to stop looking: the settle loop's decisions, pure. */

/** A commit is safe within this, where nothing else is in the way. */
const SETTLE_MS_MIN = 10;
/** Application checkpoints wait for the reader at most about this long. */
export const SETTLE_MS_MAX = 50;
/** The same beside an application that writes a little all the time: half as many looks find the same. */
export const STEADY_MS_MAX = 100;
/** Of a log that has moved for so long it is taken that it goes on. */
const STEADY_AFTER_MS = 1_000;
/** What comes within STEADY_MS_MAX of a faster writer takes too much of the tail. */
export const STEADY_BYTES_MAX: number = 256 * 1024;
/** A checkpoint publishes its progress after its last file event; it had to be slower than this to be missed. */
export const QUIET_MS = 1_000;

/**
 * Where nothing has moved for this long, commits come one at a time: the files are watched again, so
 * that the next one is seen at once. Under constant writing every event would cost more than a look.
 */
export const STILL_MS = 100;

export interface SettleState {
  readonly delayMs: number;
  readonly beganAt: number;
  readonly log: number;
  readonly checkpointed: number;
  /** When `log` or `checkpointed` last moved, in ms. */
  readonly movedAt: number;
  /** Whether nothing has moved for STILL_MS. */
  readonly isStill: boolean;
}

export interface SettleInput {
  readonly now: number;
  readonly log: number;
  readonly checkpointed: number;
  readonly held: boolean;
  readonly atRest: boolean;
  /** Of the frames that were new. */
  readonly freshBytes: number;
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

/** The next state, or 'settled': the log is held and its reader at rest, or nothing has moved for QUIET_MS. */
export function settle(state: SettleState, input: SettleInput): SettleState | 'settled' {
  const moved = state.log !== input.log || state.checkpointed !== input.checkpointed;
  const movedAt = moved ? input.now : state.movedAt;
  if (input.held && (input.atRest || input.now - movedAt >= QUIET_MS)) return 'settled';
  const isSteady = input.now - state.beganAt >= STEADY_AFTER_MS;
  const isLittle = input.freshBytes <= STEADY_BYTES_MAX;
  return {
    delayMs: Math.min(state.delayMs * 2, isSteady && isLittle ? STEADY_MS_MAX : SETTLE_MS_MAX),
    beganAt: state.beganAt,
    log: input.log,
    checkpointed: input.checkpointed,
    movedAt,
    isStill: input.held && input.now - movedAt >= STILL_MS,
  };
}
