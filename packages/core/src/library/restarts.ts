/** Decides whether a process that ended unexpectedly is started again. Pure. */

/** More ends than this within RESTART_WINDOW_MS have a cause that another start does not remove. */
const RESTARTS_MAX = 5;
const RESTART_WINDOW_MS = 10 * 60_000;
/** Wait before the first restart; it doubles. */
const RESTART_MS_MIN = 250;

export type Restart =
  | { readonly kind: 'restart'; readonly delayMs: number }
  | { readonly kind: 'give up' };

/** `endedAt`: monotonic times of all unexpected ends, the last one included. */
export function decideRestart(endedAt: readonly number[]): Restart {
  const last = endedAt.at(-1) ?? 0;
  const recent = endedAt.filter((at) => last - at < RESTART_WINDOW_MS).length;
  if (recent > RESTARTS_MAX) return { kind: 'give up' };
  return { kind: 'restart', delayMs: RESTART_MS_MIN * 2 ** (recent - 1) };
}
