/** Flags of the commands that talk to a running replicator. Pure. */

import { parseDuration } from '@sluice/core/config';
import { usageError, type Arguments } from '../args.ts';
import { toDatabasePath } from '../config/schema.ts';

/** Litestream's defaults. */
export const SYNC_MS_DEFAULT = 30_000;
const INFO_MS_DEFAULT = 10_000;
/** setTimeout accepts at most about 24 days. */
const TIMEOUT_MS_MAX = 20 * 24 * 3_600_000;

/** -durable, or "all" for -wait; undefined if the command does not wait for destinations. */
export function readMin(args: Arguments): number | 'all' | undefined {
  const text = args.text('durable');
  if (text === undefined) return args.has('wait') ? 'all' : undefined;
  if (text === 'all') return 'all';
  if (text === 'any') return 1;
  const min = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : undefined;
  if (min !== undefined) return min;
  throw usageError(args.command, `-durable is all, any, or a number from 1 on, not "${text}"`);
}

/** The only argument. CONFIG_INVALID if it is missing. */
export function namedDatabase(args: Arguments): string {
  const [argument] = args.positionals;
  if (argument !== undefined && argument !== '') return toDatabasePath(argument);
  throw usageError(args.command, 'name the database');
}

/** A duration, or like in Litestream a number of seconds. */
export function readTimeoutMs(args: Arguments, of: 'sync' | 'info'): number {
  const text = args.text('timeout');
  if (text === undefined) return of === 'sync' ? SYNC_MS_DEFAULT : INFO_MS_DEFAULT;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : parseDuration(text);
  if (ms !== undefined && ms > 0 && ms <= TIMEOUT_MS_MAX) return ms;
  throw usageError(args.command, `-timeout is a duration up to 480h, such as 30s, not "${text}"`);
}
