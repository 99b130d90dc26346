/** Parses the flags of `restore -f`. Pure. */

import { parseDuration } from '@sluice/core/config';
import { usageError, type Arguments } from '../args.ts';

export interface FollowFlags {
  readonly intervalMs: number;
}

const INTERVAL_MS_DEFAULT = 1_000;
/** Each look is a listing, which most providers charge for. */
const INTERVAL_MS_MIN = 100;
const INTERVAL_MS_MAX = 3_600_000;
/** These name one state, or do not leave a copy that can be followed. */
const TEXTS_WITHOUT = ['txid', 'timestamp', 'generation', 'index'];
const SWITCHES_WITHOUT = ['dry-run', 'if-db-not-exists', 'if-replica-exists'];

/** undefined without -f. CONFIG_INVALID for an invalid value, or another flag that -f excludes. */
export function readFollow(args: Arguments): FollowFlags | undefined {
  const { command } = args;
  const text = args.text('follow-interval');
  if (!args.has('f')) {
    if (text === undefined) return undefined;
    throw usageError(command, '-follow-interval is for -f');
  }
  const texts = TEXTS_WITHOUT.filter((name) => args.text(name) !== undefined);
  const [other] = [...texts, ...SWITCHES_WITHOUT.filter((name) => args.has(name))];
  if (other !== undefined) throw usageError(command, `-f and -${other} cannot be used together`);
  if (text === undefined) return { intervalMs: INTERVAL_MS_DEFAULT };
  const intervalMs = toMs(text);
  if (intervalMs !== undefined) return { intervalMs };
  throw usageError(command, `-follow-interval is a duration from 100ms to 1h, not "${text}"`);
}

function toMs(text: string): number | undefined {
  const ms = parseDuration(text) ?? 0;
  return ms >= INTERVAL_MS_MIN && ms <= INTERVAL_MS_MAX ? ms : undefined;
}
