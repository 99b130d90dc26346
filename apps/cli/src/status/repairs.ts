/** The last repair of a database, for `sluice status` and `/metrics`. */

import { defaultMetaPath, readRepair, type RepairRecord } from '@sluice/core';
import { formatBytes } from '@sluice/core/config';
import type { DatabaseConfig } from '../config/model.ts';

/** As in the JSON of `sluice status`. */
export interface RepairRow {
  readonly at: string;
  readonly age_seconds: number;
  readonly result: RepairRecord['result'];
  readonly destinations: readonly {
    readonly name: string;
    readonly lacking: number;
    readonly damaged: number;
    readonly copied_files: number;
    readonly copied_bytes: number;
  }[];
}

/** undefined if there was none. STAGING_FAILED if it cannot be read. */
export async function readLastRepair({
  options,
  destinations,
}: Pick<DatabaseConfig, 'options' | 'destinations'>): Promise<RepairRecord | undefined> {
  const record = await readRepair(options.metaPath ?? defaultMetaPath(options.path));
  if (record === undefined) return undefined;
  // A name may have been used for another place before.
  const isKnown = ({ name, target }: RepairRecord['destinations'][number]): boolean =>
    destinations.some((each) => each.name === name && each.target === target);
  return { ...record, destinations: record.destinations.filter(isKnown) };
}

export function toRepairRow({ at, result, destinations }: RepairRecord, now: Date): RepairRow {
  return {
    at,
    age_seconds: Math.max(0, Math.floor((now.getTime() - Date.parse(at)) / 1_000)),
    result,
    destinations: destinations.map(({ name, lacking, damaged, copiedFiles, copiedBytes }) => ({
      name,
      lacking,
      damaged,
      copied_files: copiedFiles,
      copied_bytes: copiedBytes,
    })),
  };
}

const RESULTS: Readonly<Record<RepairRow['result'], string>> = {
  whole: 'nothing was lacking',
  mended: 'mended',
  open: 'not everything could be mended',
};

/** One line for people. */
export function describeLastRepair({ at, result, destinations }: RepairRow): string {
  const copied = destinations
    .filter(({ copied_files: files }) => files > 0)
    .map(({ name, copied_files: files, copied_bytes: bytes }) => {
      return `${files} files (${formatBytes(bytes)}) copied to ${name}`;
    });
  return `last repair: ${[`${RESULTS[result]}, ${at}`, ...copied].join('; ')}`;
}
