/** The last drills of configured destinations, for `sluice status` and `/metrics`. */

import { defaultMetaPath, readDrills, type DrillRecord } from '@sluice/core';
import { formatDuration } from '@sluice/core/config';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';

/** The last drill of a destination, as in the JSON of `sluice status`. */
export interface DrillRow {
  readonly result: DrillRecord['result'];
  readonly at: string;
  readonly age_seconds: number;
  readonly txid: string | undefined;
  readonly restore_ms: number | undefined;
  readonly loss_window_ms: number | undefined;
  readonly problems: readonly string[];
  readonly last_success_at: string | undefined;
}

/** By the name of the destination. STAGING_FAILED if they cannot be read. */
export async function readLastDrills({
  options,
  destinations,
}: Pick<DatabaseConfig, 'options' | 'destinations'>): Promise<ReadonlyMap<string, DrillRecord>> {
  const records = await readDrills(options.metaPath ?? defaultMetaPath(options.path));
  // A name may have been used for another place before.
  const isOf = ({ name, target }: DestinationConfig, record: DrillRecord): boolean =>
    record.name === name && record.target === target;
  return new Map(
    destinations.flatMap((destination) => {
      const record = records.find((each) => isOf(destination, each));
      return record === undefined ? [] : [[destination.name, record]];
    }),
  );
}

export function toDrillRow(record: DrillRecord, now: Date): DrillRow {
  const { result, at, txid, restoreMs, lossWindowMs, problems, lastSuccessAt } = record;
  return {
    result,
    at,
    age_seconds: Math.max(0, Math.floor((now.getTime() - Date.parse(at)) / 1_000)),
    txid,
    restore_ms: restoreMs,
    loss_window_ms: lossWindowMs,
    problems,
    last_success_at: lastSuccessAt,
  };
}

/** One line for people. */
export function describeLastDrill(name: string, row: DrillRow): string {
  const { result, age_seconds: seconds, txid, restore_ms: ms, problems } = row;
  const age = formatDuration((seconds < 60 ? seconds : seconds - (seconds % 60)) * 1_000);
  const restored =
    txid === undefined || ms === undefined
      ? ''
      : `, TXID ${txid} restored in ${(ms / 1_000).toFixed(1)} s`;
  const why = problems.length === 0 ? '' : `: ${problems.join('; ')}`;
  const before =
    result === 'ok' || row.last_success_at === undefined ? '' : `; last ok ${row.last_success_at}`;
  return `last drill of ${name}: ${result} ${age} ago${restored}${why}${before}`;
}
