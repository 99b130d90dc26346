/**
 * `repair.json` in the staging folder: the last repair of a database that wrote something or found nothing to write,
 * for `sluice status`, `/status` and `/metrics`. It is replaced atomically. If it is lost or torn, only this result is.
 */

import { RecordList } from '../database/staging/record-list.ts';
import { systemFiles, type FileSystem } from '../file-system.ts';
import type { RepairOutcome } from './report.ts';

/** The last repair of a database. Times are ISO 8601, UTC. */
export interface RepairRecord {
  /** When it began. */
  readonly at: string;
  readonly result: RepairOutcome;
  /** Those that answered. */
  readonly destinations: readonly RepairedDestination[];
}

/** What a repair found and did at one destination. */
export interface RepairedDestination {
  readonly name: string;
  readonly target: string;
  /** Promised states that could not be restored from it before. */
  readonly lacking: number;
  /** Damaged files that were found. */
  readonly damaged: number;
  readonly copiedFiles: number;
  readonly copiedBytes: number;
}

const LIST = new RecordList('repair.json', isRecord);

/** undefined if there was none. STAGING_FAILED if the file exists and cannot be read. */
export async function readRepair(
  folder: string,
  files: FileSystem = systemFiles,
): Promise<RepairRecord | undefined> {
  return (await LIST.read(folder, files)).at(-1);
}

/** STAGING_FAILED or STAGING_FULL. Returns 'no folder' if there is no staging folder: the replicator creates it. */
export async function recordRepair(
  folder: string,
  record: RepairRecord,
  files: FileSystem = systemFiles,
): Promise<'recorded' | 'no folder'> {
  return await LIST.write(folder, [record], files);
}

const RESULTS: readonly unknown[] = ['whole', 'mended', 'open'] satisfies RepairOutcome[];

function isRecord(value: unknown): value is RepairRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { at, result, destinations } = value as Record<string, unknown>;
  const isTimed = typeof at === 'string' && !Number.isNaN(Date.parse(at));
  if (!isTimed || !RESULTS.includes(result) || !Array.isArray(destinations)) return false;
  return destinations.every(isDestination);
}

function isDestination(value: unknown): value is RepairedDestination {
  if (typeof value !== 'object' || value === null) return false;
  const { name, target, ...counts } = value as Record<string, unknown>;
  const { lacking, damaged, copiedFiles, copiedBytes } = counts;
  const isText = typeof name === 'string' && typeof target === 'string';
  return isText && [lacking, damaged, copiedFiles, copiedBytes].every(Number.isFinite);
}
