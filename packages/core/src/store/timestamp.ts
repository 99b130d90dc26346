/**
 * The time of an LTX file as Litestream stores it beside the object: RFC 3339 in UTC with only as
 * many digits of a second as are needed (Go's RFC3339Nano): `2023-11-14T22:13:20.12Z`.
 */

import { ReplicationError } from '../error.ts';

/** LTX_INVALID for a time outside of the years 0 to 9999, which RFC 3339 cannot write. */
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

/** Any RFC 3339 time, digits beyond the millisecond cut; undefined for anything else. */
export function parseTimestamp(text: string): Date | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, date = '', time = '', fraction = '', zone = ''] = match;
  const digits = fraction.slice(0, 3).padEnd(3, '0');
  const midnight = new Date(`${date}T00:00:00Z`);
  // Date takes the 31st of February for a day of March.
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(date))
    return undefined;
  const parsed = new Date(`${date}T${time}.${digits}${zone.toUpperCase()}`);
  return Number.isNaN(parsed.getTime()) ? undefined : parsed;
}
