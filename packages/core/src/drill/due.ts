/**
 * `drill-due.json` in the staging folder: when each destination is drilled next. Only the replicator writes it.
 * If it is lost or torn, these times are chosen again (schedule.ts).
 */

import { RecordList } from '../database/staging/record-list.ts';
import { systemFiles, type FileSystem } from '../file-system.ts';

/** The next drill of a destination. `at` is ISO 8601, UTC. */
export interface DueRecord {
  readonly name: string;
  readonly target: string;
  readonly at: string;
  readonly everyMs: number;
}

const LIST = new RecordList('drill-due.json', isRecord);

/** STAGING_FAILED if the file exists and cannot be read. */
export async function readDueDrills(
  folder: string,
  files: FileSystem = systemFiles,
): Promise<readonly DueRecord[]> {
  return await LIST.read(folder, files);
}

/** STAGING_FAILED or STAGING_FULL. Returns 'no folder' if the replicator has not created its folder yet. */
export async function recordDueDrills(
  folder: string,
  records: readonly DueRecord[],
  files: FileSystem = systemFiles,
): Promise<'recorded' | 'no folder'> {
  return await LIST.write(folder, records, files);
}

function isRecord(value: unknown): value is DueRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { name, target, at, everyMs } = value as Record<string, unknown>;
  if (typeof name !== 'string' || typeof target !== 'string' || typeof at !== 'string')
    return false;
  return typeof everyMs === 'number' && !Number.isNaN(Date.parse(at));
}
