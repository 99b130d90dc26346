/** Parses the flags of restore. Pure. */

import type { RestoreTarget } from '@sluice/core';
import { parseTXID } from '@sluice/core/ltx';
import { usageError, type Arguments } from '../args.ts';
import { toLogLevel } from '../log.ts';

export interface RestoreFlags {
  readonly target: RestoreTarget;
  readonly overwrite: 'refuse' | 'replace';
  readonly parallelism: number | undefined;
  readonly integrityCheck: 'none' | 'quick' | 'full';
}

/** RFC 3339. It requires a time zone, because a time without one would be a guess. */
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
/** More concurrent reads than any network can use. */
const PARALLELISM_MAX = 256;

/** CONFIG_INVALID for an invalid value. */
export function readFlags(args: Arguments): RestoreFlags {
  const { command } = args;
  const level = args.text('log-level');
  if (level !== undefined && toLogLevel(level) === undefined) {
    throw usageError(command, `-log-level is trace, debug, info, warn or error, not "${level}"`);
  }
  return {
    target: readTarget(args),
    overwrite: args.has('force') ? 'replace' : 'refuse',
    parallelism: readParallelism(args),
    integrityCheck: readCheck(args),
  };
}

function readTarget(args: Arguments): RestoreTarget {
  const txid = args.text('txid');
  const timestamp = args.text('timestamp');
  if (txid !== undefined && timestamp !== undefined) {
    throw usageError(args.command, '-txid and -timestamp cannot be used together');
  }
  if (txid !== undefined) {
    if (/^[0-9a-f]{16}$/i.test(txid) && !/^0+$/.test(txid)) {
      return { kind: 'txid', txid: parseTXID(txid) };
    }
    throw usageError(args.command, `-txid must be 16 hex digits, not all 0, but is "${txid}"`);
  }
  if (timestamp === undefined) return { kind: 'latest' };
  const moment = '-timestamp must be a time with its zone, such as 2026-01-31T12:00:00Z';
  if (!RFC3339.test(timestamp)) throw usageError(args.command, `${moment}, but is "${timestamp}"`);
  const written = timestamp.replace(' ', 'T').toUpperCase();
  const at = new Date(written);
  if (isInCalendar(written) && !Number.isNaN(at.getTime())) return { kind: 'timestamp', at };
  throw usageError(args.command, `${moment}; "${timestamp}" does not exist in the calendar`);
}

/** JavaScript turns February 30 into March 2, and 24:00 into the next day. */
function isInCalendar(written: string): boolean {
  const local = written.slice(0, 'YYYY-MM-DDTHH:MM:SS'.length);
  const at = new Date(`${local}Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(local);
}

function readParallelism(args: Arguments): number | undefined {
  const text = args.text('parallelism');
  if (text === undefined) return undefined;
  const number = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= PARALLELISM_MAX) return number;
  throw usageError(args.command, `-parallelism is 1 to ${PARALLELISM_MAX}, not "${text}"`);
}

function readCheck(args: Arguments): RestoreFlags['integrityCheck'] {
  const text = args.text('integrity-check') ?? 'none';
  if (text === 'none' || text === 'quick' || text === 'full') return text;
  throw usageError(args.command, `-integrity-check is none, quick or full, not "${text}"`);
}
