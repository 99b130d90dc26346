/** Removes the folders and the marker of a replica that holds nothing else. */

import { readdir, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import {
  describeReplica,
  LEVEL_MAX,
  levelPrefix,
  MARKER_NAME,
  type Root,
} from '@sluice/core/backend';

import { systemCode, toReplicationError } from './errors.ts';

/** What holds anything stays, with all that is above it. A folder that is gone is no failure. */
export async function removeEmpty(root: string, marker: Root['marker']): Promise<void> {
  try {
    for (let level = 0; level <= LEVEL_MAX; level += 1) {
      await removeFolder(levelPrefix('tree', root, level));
    }
    await removeFolder(dirname(levelPrefix('tree', root, 0)));
    const names = await namesIn(root);
    // A marker vouches for what is there: it goes last, and only where there is nothing.
    if (names.some((name) => name !== MARKER_NAME)) return;
    if (names.length > 0 && marker === 'seen') await unlink(join(root, MARKER_NAME));
    await removeFolder(root);
  } catch (error) {
    throw toReplicationError(error, `remove empty folders at ${describeReplica('file://', root)}`);
  }
}

async function removeFolder(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemCode(error) ?? ''))
      throw error;
  }
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
