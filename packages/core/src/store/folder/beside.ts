/** Files in a folder that lie beside where they are looked for (elsewhere.ts). */

import { posix } from 'node:path';

import { parseFilename } from '../../ltx/filename.ts';
import type { AbortableOptions } from '../client.ts';
import {
  errorOfGenerations,
  errorOfOtherLayout,
  GENERATIONS,
  isGeneration,
} from '../../replica/elsewhere.ts';
import type { FolderPlace } from './place.ts';
import type { FolderEntry } from './walk.ts';

/** REPLICA_UNSUPPORTED where the files of a bucket were copied here, or Litestream 0.3 has been. */
export async function lookBesideFolder<Session, Entry extends FolderEntry>(
  place: FolderPlace<Session, Entry>,
  { signal }: AbortableOptions,
): Promise<void> {
  const { folder, name: replica, root, store } = place;
  const what = `list level all at ${replica}`;
  const found = await place.run({ what, signal }, async (session) => {
    const entries = (await store.readFolder(session, folder)) ?? [];
    const levels = entries.filter(({ kind, name }) => kind === 'folder' && /^000\d$/.test(name));
    for (const { name } of levels) {
      const files = (await store.readFolder(session, posix.join(root.path, name))) ?? [];
      if (files.some((file) => parseFilename(file.name) !== undefined)) return 'other layout';
    }
    const path = posix.join(root.path, GENERATIONS);
    const generations = (await store.readFolder(session, path)) ?? [];
    return generations.some(({ name }) => isGeneration(name)) ? 'generations' : 'nothing';
  });
  if (found === 'other layout') throw errorOfOtherLayout(what, 'tree');
  if (found === 'generations') throw errorOfGenerations(what);
}
