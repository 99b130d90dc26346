/** A destination of files in folders, out of the few steps that a backend knows to take. */

import { CLOSE_MS_MAX, type ConnectContext, type Destination } from '../backend.ts';
import type { AbortableOptions } from '../client.ts';
import { lookBesideFolder } from './beside.ts';
import { FolderObjects } from './objects.ts';
import { FolderPlace } from './place.ts';
import { FolderReplica } from './replica.ts';
import { MARKER_NAME } from './root.ts';
import type { FolderStore } from './store.ts';
import { allLevelsPrefix, LEVEL_MAX, levelPrefix } from '../layout.ts';
import { Tasks } from './calls.ts';
import type { FolderEntry } from './walk.ts';

/** What is left of CLOSE_MS_MAX is for the connection. */
const CLEAN_UP_MS_MAX = CLOSE_MS_MAX - 2_000;

/**
 * Levels, order, markers, named objects as files, aborts, messages and the end of a destination are
 * done here. Claims ranges and if-absent of any size. `name` is the destination's, for logs.
 */
export function folderDestination<Session, Entry extends FolderEntry>(
  name: string,
  store: FolderStore<Session, Entry>,
  { access }: ConnectContext,
): Destination {
  const tasks = new Tasks(name);
  const places = new Map<string, FolderPlace<Session, Entry>>();
  const placeAt = (path: string): FolderPlace<Session, Entry> => {
    const place = places.get(path) ?? new FolderPlace(path, store, tasks, { name, access });
    places.set(path, place);
    return place;
  };
  let closed: Promise<void> | undefined;
  return {
    name,
    capabilities: { ranges: true, ifAbsent: 'any-size' },
    replica: (path) => new FolderReplica(placeAt(path)),
    objects: (path) => new FolderObjects(placeAt(path)),
    async isNew(path: string, { signal }: AbortableOptions = {}) {
      const place = placeAt(path);
      const what = `look for ${place.name}`;
      return await tasks.run(signal, () => place.root.isNew(what));
    },
    ...(access === 'read' && {
      async lookBeside(path: string, options: AbortableOptions = {}) {
        await lookBesideFolder(placeAt(path), options);
      },
    }),
    ...(access === 'write' && {
      async removeEmpty(path: string, { signal }: AbortableOptions = {}) {
        const place = placeAt(path);
        const what = `remove empty folders at ${place.name}`;
        await place.run({ what, signal }, async (session) => {
          await removeEmpty(place, session);
          places.delete(path); // whoever comes next finds out anew what is there
        });
      },
    }),
    async close() {
      store.stop?.();
      closed ??= tasks.close(CLEAN_UP_MS_MAX).then(() => store.close?.());
      await closed;
    },
  };
}

/** What holds anything stays, with all that is above it. What is gone is no failure. */
async function removeEmpty<Session, Entry extends FolderEntry>(
  { folder, marker, root, store }: FolderPlace<Session, Entry>,
  session: Session,
): Promise<void> {
  const remove = (path: string): Promise<void> => store.removeFolder(session, path);
  const levels = Array.from({ length: LEVEL_MAX + 1 }, (_, i) => levelPrefix('tree', root.path, i));
  await Promise.all(levels.map(remove));
  await remove(allLevelsPrefix('tree', root.path));
  const entries = await store.readFolder(session, folder);
  // A marker vouches for what is there: it goes last, and only where there is nothing.
  if (entries === undefined || entries.some(({ name }) => name !== MARKER_NAME)) return;
  if (entries.length > 0 && root.marker === 'seen') await store.remove(session, marker);
  await remove(folder);
}
