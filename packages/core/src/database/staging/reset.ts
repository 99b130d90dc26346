/**
 * Forgets what is staged for a database, so that the next start begins with a full snapshot. What the folder knows
 * about its destinations stays: without it, a disk that is not mounted would be taken for a new destination.
 */

import path from 'node:path';
import { systemClock } from '../../clock.ts';
import { OwnerLock } from './owner-lock.ts';
import { type FileSystem, systemFiles } from '../../file-system.ts';

/** In this order: without its position, nothing else of a folder is believed. */
const FORGOTTEN = ['position', 'imaging', 'checksums', 'ltx'] as const;

/** The staging folder of a database that no replicator follows now. */
export interface ResetInput {
  /** The staging folder. */
  readonly folder: string;
  /** Path of the database. */
  readonly database: string;
  /** Default 'remove'. */
  readonly mode?: 'remove' | 'count' | undefined;
  readonly files?: FileSystem | undefined;
}

/** What was removed, or would be. */
export interface ResetReport {
  readonly files: number;
  readonly bytes: number;
}

/** STAGING_IN_USE if a replicator has the folder. Removes nothing if there is no such folder. */
export async function resetStaging({
  folder,
  database,
  mode = 'remove',
  files = systemFiles,
}: ResetInput): Promise<ResetReport> {
  if ((await files.stat(folder)) === undefined) return { files: 0, bytes: 0 };
  const report = await measure(folder, files);
  if (mode === 'count') return report;
  const lock = await OwnerLock.acquire({ folder, database, clock: systemClock });
  try {
    for (const name of FORGOTTEN) {
      await files.remove(path.join(folder, name));
      await files.syncFolder(folder);
    }
    return report;
  } finally {
    lock.release();
  }
}

async function measure(folder: string, files: FileSystem): Promise<ResetReport> {
  let count = 0;
  let bytes = 0;
  for (const file of await filesOf(folder, files)) {
    const found = await files.stat(file);
    if (found === undefined || found.kind === 'folder') continue;
    count += 1;
    bytes += found.sizeBytes;
  }
  return { files: count, bytes };
}

async function filesOf(folder: string, files: FileSystem): Promise<string[]> {
  const levels = await namesIn(path.join(folder, 'ltx'), files);
  const staged = await Promise.all(
    levels.map(async (level) => {
      const at = path.join(folder, 'ltx', level);
      return (await namesIn(at, files)).map((name) => path.join(at, name));
    }),
  );
  const others = FORGOTTEN.filter((name) => name !== 'ltx');
  return [...others.map((name) => path.join(folder, name)), ...staged.flat()];
}

async function namesIn(folder: string, files: FileSystem): Promise<string[]> {
  const found = await files.stat(folder);
  return found?.kind === 'folder' ? await files.list(folder) : [];
}
