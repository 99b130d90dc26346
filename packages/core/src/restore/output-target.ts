/** Resolves the output path of a restore and checks whether the restore may write there. */

import type { Stats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ReplicationError } from '../error.ts';
import { findUnmounted } from '../store/folder/mount-points.ts';
import { findJournalFiles } from './old-database.ts';
import { describeHolders, findHolders } from './open-elsewhere.ts';

/** `keep`: replace, but keep the old file under another name. */
export type Overwrite = 'refuse' | 'replace' | 'keep';

/**
 * RESTORE_TARGET_EXISTS if a restore to `output` would replace something, RESTORE_OUTPUT if
 * `output` cannot be a file. Creates nothing.
 */
export async function checkOutput(output: string, overwrite: Overwrite): Promise<void> {
  await requireFree(await findTarget(output), overwrite);
}

/**
 * Whether `output` is a database; an empty file is not. RESTORE_OUTPUT if that cannot be
 * determined.
 */
export async function isDatabaseAt(output: string): Promise<boolean> {
  const found = await withOutputErrors(`stat ${output}`, async () => await statOf(output));
  return found !== undefined && (found.size > 0 || !found.isFile());
}

/** RESTORE_TARGET_EXISTS. `output` is a path from findTarget. */
export async function requireFree(output: string, overwrite: Overwrite): Promise<void> {
  await withOutputErrors(`stat ${output}`, async () => {
    const found = await statOf(output);
    if (found !== undefined && !found.isFile()) throw notAFile(output, found);
    if (overwrite !== 'refuse') return;
    const own = found === undefined || found.size === 0 ? [] : ['']; // an empty file may be replaced
    const [taken] = [...own, ...(await findJournalFiles(output))];
    const holders = await findHolders(output);
    const has = holders.length === 1 ? 'has' : 'have';
    const openIn = holders.length === 0 ? '' : `, and ${describeHolders(holders)} ${has} it open`;
    if (taken === undefined && openIn === '') return;
    const what =
      taken === undefined
        ? 'it is empty'
        : `${taken === '' ? 'it' : output + taken} already exists`;
    throw new ReplicationError(
      'RESTORE_TARGET_EXISTS',
      `restore to ${output}: ${what}${openIn}; choose another path (-o), or replace it (-force)`,
    );
  });
}

/**
 * The file that `output` names. Symbolic links are followed, because SQLite keeps its other files
 * beside the link's target. RESTORE_OUTPUT if it cannot be a file.
 */
export async function findTarget(output: string): Promise<string> {
  if (output.endsWith('/') || output.endsWith(path.sep)) {
    const message = `restore to ${output}: this is a folder name; add a file name`;
    throw new ReplicationError('RESTORE_OUTPUT', message);
  }
  return await withOutputErrors(`stat ${output}`, async () => {
    const target = await followLinks(path.resolve(output));
    const point = await findUnmounted(path.dirname(target));
    if (point === undefined) return target;
    throw new ReplicationError(
      'RESTORE_OUTPUT',
      `restore to ${output}: ${point} is a mount point in /etc/fstab, but nothing is mounted there; ` +
        'mount it, or choose another path (-o)',
    );
  });
}

async function followLinks(file: string): Promise<string> {
  if ((await statOf(file)) !== undefined) return await fs.realpath(file);
  const link = await readLink(file);
  if (link === undefined) return file;
  const target = path.resolve(path.dirname(file), link);
  if ((await statOf(path.dirname(target))) !== undefined) return await followLinks(target);
  throw new ReplicationError(
    'RESTORE_OUTPUT',
    `restore to ${file}: it is a link to ${target}, whose folder does not exist; mount its disk, ` +
      'create the folder, or choose another path (-o)',
  );
}

async function readLink(file: string): Promise<string | undefined> {
  try {
    return await fs.readlink(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'EINVAL') return undefined; // missing, or not a link
    throw error;
  }
}

export async function statOf(file: string): Promise<Stats | undefined> {
  try {
    return await fs.stat(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether both are names of one file. */
export function isSameFile(one: Stats | undefined, other: Stats | undefined): boolean {
  return one !== undefined && one.ino === other?.ino && one.dev === other.dev;
}

/** Turns an error of the file system into RESTORE_OUTPUT and adds advice. */
export async function withOutputErrors<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof ReplicationError || code === undefined || code === 'ABORT_ERR')
      throw error;
    const next = NEXT_STEPS[code] ?? 'choose another path (-o)';
    const message = `${what}: ${messageOf(error)}; ${next}`;
    throw new ReplicationError('RESTORE_OUTPUT', message, { cause: error });
  }
}

const NO_RIGHT = 'give this user write permission there, or choose another path (-o)';
const NO_ROOM = 'free some space, or choose another path (-o)';
const NEXT_STEPS: Readonly<Record<string, string>> = {
  EACCES: NO_RIGHT,
  EPERM: NO_RIGHT,
  EROFS: 'it is mounted read-only: choose another path (-o)',
  ENOSPC: NO_ROOM,
  EDQUOT: NO_ROOM,
  ENAMETOOLONG: 'choose a shorter name (-o)',
  ENOTDIR: 'a part of the path is a file, not a folder: choose another path (-o)',
};

function notAFile(output: string, found: Stats): ReplicationError {
  const why = found.isDirectory()
    ? 'it is a folder; add a file name'
    : 'it is not a regular file; choose another path (-o)';
  return new ReplicationError('RESTORE_TARGET_EXISTS', `restore to ${output}: ${why}`);
}
