/** Parses the flags of cost. Pure. */

import { formatDuration, parseBytes, parseDuration } from '@sluice/core/config';
import { usageError, type Arguments } from '../args.ts';
import type { Schedule } from './model.ts';
import { parsePrices, PROVIDERS, providerOf, type Prices } from './prices.ts';

export interface CostFlags {
  readonly commitsPerHour: number | undefined;
  readonly bytesPerCommit: number | undefined;
  readonly databaseBytes: number | undefined;
  readonly hotBytes: number | undefined;
  readonly restoresPerMonth: number;
  /** Prices for all destinations; undefined: those of their providers. */
  readonly prices: Prices | undefined;
  readonly schedule: Partial<Schedule>;
}

/** CONFIG_INVALID for an invalid value. */
export function readCostFlags(args: Arguments): CostFlags {
  return {
    commitsPerHour: readNumber(args, 'commits-per-hour'),
    bytesPerCommit: readBytes(args, 'bytes-per-commit'),
    databaseBytes: readBytes(args, 'database-bytes'),
    hotBytes: readBytes(args, 'hot-bytes'),
    restoresPerMonth: readNumber(args, 'restores-per-month') ?? 0,
    prices: readPrices(args),
    schedule: withoutUndefined({
      syncIntervalMs: readDuration(args, 'sync-interval'),
      levelsMs: readLevels(args),
      snapshotIntervalMs: readDuration(args, 'snapshot-interval'),
      retentionMs: readDuration(args, 'retention'),
      l0RetentionMs: readDuration(args, 'l0-retention'),
    }),
  };
}

function readNumber(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw usageError(args.command, `-${name} is a number from 0, not "${text}"`);
}

function readBytes(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const bytes = parseBytes(text) ?? 0;
  if (bytes > 0) return bytes;
  throw usageError(args.command, `-${name} is a size from 1, such as 4KiB, not "${text}"`);
}

function readDuration(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  return text === undefined ? undefined : toDuration(args, name, text);
}

function toDuration(args: Arguments, name: string, text: string): number {
  const ms = parseDuration(text) ?? 0;
  if (ms > 0) return ms;
  throw usageError(args.command, `-${name} is a duration above 0, such as 30s, not "${text}"`);
}

function readLevels(args: Arguments): readonly number[] | undefined {
  const text = args.text('levels');
  if (text === undefined) return undefined;
  const levels = text.split(',').map((part) => toDuration(args, 'levels', part.trim()));
  const wrong = levels.find((ms, index) => ms <= (levels[index - 1] ?? 0));
  if (wrong === undefined) return levels;
  throw usageError(
    args.command,
    `-levels must ascend, but ${formatDuration(wrong)} follows a longer one`,
  );
}

function readPrices(args: Arguments): Prices | undefined {
  const [own, id] = [args.text('prices'), args.text('provider')];
  if (own !== undefined && id !== undefined) {
    throw usageError(args.command, '-prices and -provider cannot be used together');
  }
  if (own !== undefined) {
    const prices = parsePrices(own);
    if (typeof prices === 'string') throw usageError(args.command, `-prices: ${prices}`);
    return prices;
  }
  if (id === undefined) return undefined;
  const prices = providerOf(id);
  if (prices !== undefined) return prices;
  const known = PROVIDERS.map((each) => each.id).join(', ');
  throw usageError(args.command, `-provider is one of ${known}, not "${id}"`);
}

function withoutUndefined(given: object): Partial<Schedule> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
