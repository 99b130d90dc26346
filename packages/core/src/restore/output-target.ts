/** Where a restore writes to, and whether it may. */

import type { Stats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ReplicationError } from '../error.ts';
import { findUnmounted } from '../store/folder/mount-points.ts';
import { playedFilesOf } from './old-database.ts';

export type Overwrite = 'refuse' | 'replace';

/**
 * RESTORE_TARGET_EXISTS where a restore to `output` would have to replace something, RESTORE_OUTPUT where
 * `output` cannot be a file. Nothing is made.
 */
export async function checkOutput(output: string, overwrite: Overwrite): Promise<void> {
  await requireFree(await findTarget(output), overwrite);
}

/** Whether there is a database at `output`: an empty file is none. RESTORE_OUTPUT where it cannot be told. */
export async function isDatabaseAt(output: string): Promise<boolean> {
  const found = await reporting(`look at ${output}`, async () => await statOf(output));
  return found !== undefined && (found.size > 0 || !found.isFile());
}

/** Of a target that has been found. RESTORE_TARGET_EXISTS. */
export async function requireFree(output: string, overwrite: Overwrite): Promise<void> {
  await reporting(`look at ${output}`, async () => {
    const found = await statOf(output);
    if (found !== undefined && !found.isFile()) throw notAFile(output, found);
    if (overwrite === 'replace') return;
    const own = found === undefined || found.size === 0 ? [] : ['']; // an empty file holds nothing
    const [taken] = [...own, ...(await playedFilesOf(output))];
    if (taken === undefined) return;
    throw new ReplicationError(
      'RESTORE_TARGET_EXISTS',
      `restore to ${output}: ${taken === '' ? 'it' : output + taken} exists; choose another place (-o), or replace it (-force)`,
    );
  });
}

/**
 * The file that `output` means: where a symbolic link leads, because SQLite keeps its files beside that
 * one. RESTORE_OUTPUT for what cannot be a file.
 */
export async function findTarget(output: string): Promise<string> {
  if (output.endsWith('/') || output.endsWith(path.sep)) {
    const message = `restore to ${output}: that names a folder; add the name of the file`;
    throw new ReplicationError('RESTORE_OUTPUT', message);
  }
  return await reporting(`look at ${output}`, async () => {
    const target = await followLinks(path.resolve(output));
    const point = await findUnmounted(path.dirname(target));
    if (point === undefined) return target;
    throw new ReplicationError(
      'RESTORE_OUTPUT',
      `restore to ${output}: ${point} is a mount point of /etc/fstab, and nothing is mounted there; ` +
        'mount it, or choose another place (-o)',
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
      'or make the folder, or choose another place (-o)',
  );
}

async function readLink(file: string): Promise<string | undefined> {
  try {
    return await fs.readlink(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'EINVAL') return undefined; // nothing, or no link
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

/** Names what the file system refused, and what to do. */
export async function reporting<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof ReplicationError || code === undefined || code === 'ABORT_ERR')
      throw error;
    const next = NEXT_STEPS[code] ?? 'choose another place (-o)';
    const message = `${what}: ${messageOf(error)}; ${next}`;
    throw new ReplicationError('RESTORE_OUTPUT', message, { cause: error });
  }
}

const NO_RIGHT = 'give this user the right to write there, or choose another place (-o)';
const NO_ROOM = 'free some space, or choose another place (-o)';
const NEXT_STEPS: Readonly<Record<string, string>> = {
  EACCES: NO_RIGHT,
  EPERM: NO_RIGHT,
  EROFS: 'it is mounted read-only: choose another place (-o)',
  ENOSPC: NO_ROOM,
  EDQUOT: NO_ROOM,
  ENAMETOOLONG: 'choose a shorter name (-o)',
  ENOTDIR: 'what should be a folder on the way to it is a file: choose another place (-o)',
};

function notAFile(output: string, found: Stats): ReplicationError {
  const why = found.isDirectory()
    ? 'it is a folder; add the name of the file'
    : 'it is not a regular file; choose another place (-o)';
  return new ReplicationError('RESTORE_TARGET_EXISTS', `restore to ${output}: ${why}`);
}
