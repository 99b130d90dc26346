/**
 * `scrub.json` in the staging folder: for each destination where its round of the scrub stands, and what was
 * found. It is replaced atomically, and durably if something is damaged: a power loss must not forget that. Only the
 * replicator writes it. If it is lost or torn, a new round begins.
 */

import { RecordList } from '../database/staging/record-list.ts';
import { systemFiles, type FileSystem } from '../file-system.ts';

/** A damaged file that a scrub found and that is not mended yet. */
export interface DamagedObject {
  /** "0/0000000000000001-0000000000000001.ltx". */
  readonly object: string;
  readonly code: string;
  readonly why: string;
  /** When it was found. */
  readonly at: string;
  /** A later full snapshot exists: only states before it are lost. */
  readonly superseded?: true | undefined;
}

/** The scrub of one destination. Times are ISO 8601, UTC. */
export interface ScrubRecord {
  readonly name: string;
  readonly target: string;
  /** When the present or the last round began. */
  readonly startedAt: string;
  /** The last object that was read in this round; undefined if the round is complete. */
  readonly cursor?: string | undefined;
  /** Read in this round. */
  readonly objects: number;
  readonly bytes: number;
  /** When a round was last complete. */
  readonly completedAt?: string | undefined;
  /** When a round was last complete with nothing damaged at its end. */
  readonly lastSuccessAt?: string | undefined;
  /** Objects that are damaged and not mended. */
  readonly damaged: readonly DamagedObject[];
  /** Objects that were found damaged, and were mended, since the record began. */
  readonly mended: number;
}

const LIST = new RecordList('scrub.json', isRecord);

/** STAGING_FAILED if the file exists and cannot be read. */
export async function readScrubs(
  folder: string,
  files: FileSystem = systemFiles,
): Promise<readonly ScrubRecord[]> {
  return await LIST.read(folder, files);
}

/** STAGING_FAILED or STAGING_FULL. Returns 'no folder' if the replicator has not created its folder yet. */
export async function recordScrubs(
  folder: string,
  records: readonly ScrubRecord[],
  files: FileSystem = systemFiles,
): Promise<'recorded' | 'no folder'> {
  const hasDamage = records.some(({ damaged }) => damaged.length > 0);
  return await LIST.write(folder, records, files, {
    durability: hasDamage ? 'durable' : 'not synced',
  });
}

function isRecord(value: unknown): value is ScrubRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { name, target, startedAt, objects, bytes, damaged, mended } = value as Record<
    string,
    unknown
  >;
  const isText = [name, target].every((each) => typeof each === 'string');
  const isCounted = [objects, bytes, mended].every((each) => typeof each === 'number');
  const isTimed = typeof startedAt === 'string' && !Number.isNaN(Date.parse(startedAt));
  return isText && isCounted && isTimed && Array.isArray(damaged) && damaged.every(isDamaged);
}

function isDamaged(value: unknown): value is DamagedObject {
  if (typeof value !== 'object' || value === null) return false;
  const { object, code, why, at } = value as Record<string, unknown>;
  return [object, code, why, at].every((each) => typeof each === 'string');
}
