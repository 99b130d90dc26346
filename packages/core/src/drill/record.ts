/**
 * `drill.json` in the staging folder: the last drill of each destination, for `sluice status` and
 * `/metrics`. It is replaced atomically. If it is lost or torn, only these results are.
 */

import path from 'node:path';
import { toStagingError } from '../database/staging/staging-error.ts';
import { readText, replaceText, systemFiles, type FileSystem } from '../file-system.ts';
import type { DrillReport } from './drill.ts';
import type { DrillResult } from './verdict.ts';

/** The last drill of a destination. Times are ISO 8601, UTC. */
export interface DrillRecord {
  readonly name: string;
  readonly target: string;
  readonly at: string;
  readonly result: DrillResult;
  /** The restored state: 16 hex digits. */
  readonly txid?: string | undefined;
  readonly timestamp?: string | undefined;
  readonly restoreMs?: number | undefined;
  readonly lossWindowMs?: number | undefined;
  readonly problems: readonly string[];
  /** When a drill of this destination was last ok. */
  readonly lastSuccessAt?: string | undefined;
}

const NAME = 'drill.json';

/** The records in a staging folder. STAGING_FAILED if the file exists and cannot be read. */
export async function readDrills(
  folder: string,
  files: FileSystem = systemFiles,
): Promise<readonly DrillRecord[]> {
  const file = path.join(folder, NAME);
  const text = await withStagingErrors(`read ${file}`, async () => readText(files, file));
  return text === undefined ? [] : parseRecords(text);
}

/** STAGING_FAILED or STAGING_FULL. Returns 'no folder' if there is no staging folder: it belongs to the replicator, who creates it. */
export async function recordDrill(
  folder: string,
  { name, target }: Pick<DrillRecord, 'name' | 'target'>,
  report: DrillReport,
  files: FileSystem = systemFiles,
): Promise<'recorded' | 'no folder'> {
  const file = path.join(folder, NAME);
  if ((await files.stat(folder)) === undefined) return 'no folder';
  const isThis = (record: DrillRecord): boolean => record.name === name && record.target === target;
  const known = await readDrills(folder, files);
  const { at, result, txid, timestamp, restoreMs, lossWindowMs, problems } = report;
  const record: DrillRecord = {
    name,
    target,
    at,
    result,
    txid,
    timestamp,
    restoreMs,
    lossWindowMs,
    problems: problems.map(({ message }) => message),
    lastSuccessAt: result === 'ok' ? at : known.find(isThis)?.lastSuccessAt,
  };
  const records = [...known.filter((each) => !isThis(each)), record];
  const text = `${JSON.stringify(records, undefined, 2)}\n`;
  await withStagingErrors(`write ${file}`, async () => replaceText(files, file, text));
  return 'recorded';
}

async function withStagingErrors<T>(action: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw toStagingError(action, error);
  }
}

/** Leaves out everything that is not a record: a newer version may write others. */
function parseRecords(text: string): readonly DrillRecord[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isRecord) : [];
  } catch {
    return []; // torn by a power loss
  }
}

function isRecord(value: unknown): value is DrillRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { name, target, at, result, problems } = value as Record<string, unknown>;
  const isText = [name, target, at].every((each) => typeof each === 'string');
  return isText && Array.isArray(problems) && RESULTS.includes(result as DrillResult);
}

const RESULTS: readonly DrillResult[] = ['ok', 'failed', 'inconclusive'];
