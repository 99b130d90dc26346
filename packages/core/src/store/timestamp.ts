/**
 * The time of an LTX file as Litestream stores it in the object's metadata: RFC 3339 in UTC with only as
 * many fractional digits as needed (Go's RFC3339Nano): `2023-11-14T22:13:20.12Z`.
 */

import { ReplicationError } from '../error.ts';

/** Throws LTX_INVALID for a time outside the years 0 to 9999, which RFC 3339 cannot represent. */
export function formatTimestamp(time: Date): string {
  const ms = time.getTime();
  if (!(ms >= YEAR_0_MS && ms < YEAR_10000_MS)) {
    throw new ReplicationError('LTX_INVALID', `timestamp ${ms} ms is not in the years 0 to 9999`);
  }
  return time.toISOString().replace(/\.?0*Z$/, 'Z');
}

const YEAR_0_MS = Date.UTC(2000, 0, 1) - 730_485 * 86_400_000;
const YEAR_10000_MS = Date.UTC(10_000, 0, 1);

const RFC3339 =
  /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:[.,](\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** Parses an RFC 3339 time, truncated to milliseconds. Returns undefined for any other text. */
export function parseTimestamp(text: string): Date | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, date = '', time = '', fraction = '', zone = ''] = match;
  const digits = fraction.slice(0, 3).padEnd(3, '0');
  const midnight = new Date(`${date}T00:00:00Z`);
  // Date accepts February 31 as a day in March.
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(date))
    return undefined;
  const parsed = new Date(`${date}T${time}.${digits}${zone.toUpperCase()}`);
  return Number.isNaN(parsed.getTime()) ? undefined : parsed;
}
