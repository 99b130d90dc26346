/** The scrubs of configured destinations, for `sluice status` and `/metrics`. */

import { defaultMetaPath, readScrubs, type DamagedObject, type ScrubRecord } from '@sluice/core';
import { formatBytes } from '@sluice/core/config';
import type { DatabaseConfig } from '../config/model.ts';

/** The scrub of a destination, as in the JSON of `sluice status`. */
export interface ScrubRow {
  readonly started_at: string;
  /** Whether the round that began then is still under way. */
  readonly running: boolean;
  readonly objects: number;
  readonly bytes: number;
  readonly last_success_at: string | undefined;
  readonly damaged: readonly DamagedObject[];
  readonly mended: number;
}

/** By the name of the destination. STAGING_FAILED if they cannot be read. */
export async function readLastScrubs({
  options,
  destinations,
}: Pick<DatabaseConfig, 'options' | 'destinations'>): Promise<ReadonlyMap<string, ScrubRecord>> {
  const records = await readScrubs(options.metaPath ?? defaultMetaPath(options.path));
  // A name may have been used for another place before.
  const known = records.filter((record) =>
    destinations.some(({ name, target }) => record.name === name && record.target === target),
  );
  return new Map(known.map((record) => [record.name, record]));
}

export function toScrubRow(record: ScrubRecord): ScrubRow {
  return {
    started_at: record.startedAt,
    running: record.cursor !== undefined,
    objects: record.objects,
    bytes: record.bytes,
    last_success_at: record.lastSuccessAt,
    damaged: record.damaged,
    mended: record.mended,
  };
}

/** One line for people. */
export function describeScrub(name: string, row: ScrubRow): string {
  const { started_at, running, objects, bytes, last_success_at, damaged, mended } = row;
  const read = `${objects} files, ${formatBytes(bytes)}`;
  const state = running ? `under way since ${started_at}, ${read} so far` : `${read} read`;
  const success = last_success_at === undefined ? 'never complete' : `last ok ${last_success_at}`;
  const repaired = mended === 0 ? '' : `, ${mended} mended`;
  const found = damaged
    .map(({ object, code, superseded }) => {
      return `${object} (${code}${superseded === true ? ', before a later snapshot' : ''})`;
    })
    .join(', ');
  return `scrub of ${name}: ${state}, ${success}${repaired}${found === '' ? '' : `; damaged: ${found}`}`;
}
