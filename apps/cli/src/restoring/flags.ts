/** Parses the flags of restore. Pure. */

import type { Overwrite, RestoreTarget } from '@sluice/core';
import { parseTXID } from '@sluice/core/ltx';
import { usageError, type Arguments } from '../args.ts';
import { toLogLevel } from '../log.ts';
import { readFollow, type FollowFlags } from '../following/flags.ts';
import type { OldFlags } from './old.ts';
import { parseTime, TIME_EXAMPLES } from './time.ts';

export interface RestoreFlags {
  readonly target: RestoreTarget;
  /** With -generation or -index: only backups of Litestream 0.3. */
  readonly old: OldFlags | undefined;
  readonly overwrite: Overwrite;
  readonly parallelism: number | undefined;
  readonly integrityCheck: 'none' | 'quick' | 'full';
  /** With -resume. */
  readonly downloads: 'kept' | undefined;
  /** With -f. */
  readonly follow: FollowFlags | undefined;
}

/** Normal difference between the clocks of two machines. */
const SKEW_MS_MAX = 5 * 60_000;
/** More concurrent reads than any network can use. */
const PARALLELISM_MAX = 256;

/** CONFIG_INVALID for an invalid value. `now` is the clock for relative times. */
export function readFlags(args: Arguments, now: Date): RestoreFlags {
  const { command } = args;
  const level = args.text('log-level');
  if (level !== undefined && toLogLevel(level) === undefined) {
    throw usageError(command, `-log-level is trace, debug, info, warn or error, not "${level}"`);
  }
  return {
    target: readTarget(args, now),
    old: readOld(args),
    overwrite: readOverwrite(args),
    parallelism: readParallelism(args),
    integrityCheck: readCheck(args),
    downloads: args.has('resume') ? 'kept' : undefined,
    follow: readFollow(args),
  };
}

function readTarget(args: Arguments, now: Date): RestoreTarget {
  const txid = args.text('txid');
  const timestamp = args.text('timestamp');
  if (txid !== undefined && timestamp !== undefined) {
    throw usageError(args.command, '-txid and -timestamp cannot be used together');
  }
  if (txid !== undefined) {
    if (/^[0-9a-f]{16}$/i.test(txid) && !/^0+$/.test(txid)) {
      return { kind: 'txid', txid: parseTXID(txid) };
    }
    throw usageError(
      args.command,
      `-txid must be 16 hex digits, not all 0, as "sluice history" prints them, but is "${txid}"`,
    );
  }
  if (timestamp === undefined) return { kind: 'latest' };
  const at = readTime(args, 'timestamp', now) as Date;
  if (at.getTime() <= now.getTime() + SKEW_MS_MAX) return { kind: 'timestamp', at };
  throw usageError(
    args.command,
    `-timestamp "${timestamp}" is ${at.toISOString()}, which is in the future: the clock of this machine ` +
      `says ${now.toISOString()}; for the newest state, leave the flag out, and for another one use -txid`,
  );
}

/** The time of a flag; undefined without the flag. CONFIG_INVALID for a time that does not exist. */
export function readTime(args: Arguments, flag: string, now: Date): Date | undefined {
  const text = args.text(flag);
  if (text === undefined) return undefined;
  const parsed = parseTime(text, now);
  if (parsed.kind === 'time') return parsed.at;
  throw usageError(
    args.command,
    parsed.kind === 'impossible'
      ? `-${flag} "${text}" ${parsed.why}`
      : `-${flag} must be a time, such as ${TIME_EXAMPLES}, but is "${text}"`,
  );
}

function readOverwrite(args: Arguments): Overwrite {
  if (args.has('force')) return args.has('no-keep') ? 'replace' : 'keep';
  if (!args.has('no-keep')) return 'refuse';
  throw usageError(args.command, '-no-keep is for -force: nothing is replaced without it');
}

/** As in Litestream 0.3, an index is hexadecimal. Each generation counts from 0, so one must be named. */
function readOld(args: Arguments): OldFlags | undefined {
  const { command } = args;
  const generation = args.text('generation');
  const text = args.text('index');
  if (generation === undefined && text === undefined) return undefined;
  if (generation === undefined) {
    const list = '"sluice generations" lists them';
    throw usageError(command, `-index needs -generation (${list}), because each one counts from 0`);
  }
  if (!/^[0-9a-f]{16}$/.test(generation)) {
    throw usageError(command, `-generation is 16 hex digits, not "${generation}"`);
  }
  if (args.text('txid') !== undefined) {
    throw usageError(command, '-txid and -generation cannot be used together');
  }
  if (text === undefined) return { generation };
  if (args.text('timestamp') !== undefined) {
    throw usageError(command, '-index and -timestamp cannot be used together');
  }
  if (/^[0-7]?[0-9a-f]{1,7}$/i.test(text)) return { generation, index: Number.parseInt(text, 16) };
  throw usageError(command, `-index is up to 8 hex digits, at most 7fffffff, not "${text}"`);
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
