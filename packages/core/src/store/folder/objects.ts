/** Named objects in folders: small things beside the levels, one file each. */

import { posix } from 'node:path';

import { ReplicationError } from '../../error.ts';
import { bodyFromBytes } from '../body.ts';
import type {
  AbortableOptions,
  ByteRange,
  NamedObjectInfo,
  NamedObjects,
  OpenedObject,
  PutOptions,
} from '../client.ts';
import { isOwnName } from './names.ts';
import type { FolderPlace } from './place.ts';
import { objectKey } from '../layout.ts';
import { walkObjects, type FolderEntry } from './walk.ts';

export class FolderObjects<Session, Entry extends FolderEntry> implements NamedObjects {
  readonly #place: FolderPlace<Session, Entry>;

  constructor(place: FolderPlace<Session, Entry>) {
    this.#place = place;
  }

  async put(
    name: string,
    bytes: Uint8Array,
    { condition, signal }: PutOptions = {},
  ): Promise<{ version: string }> {
    const what = `write ${name} to ${this.#place.name}`;
    const path = this.#pathOf(name, what);
    if (typeof condition === 'object') throw noVersions(what);
    const body = bodyFromBytes(bytes, new Date(0));
    return await this.#place.write(path, { what, signal }, (session, signals) =>
      this.#place.store.placeObject(session, path, body, {
        condition: condition ?? 'none',
        signals,
      }),
    );
  }

  async get(
    name: string,
    options: AbortableOptions & { readonly range?: ByteRange | undefined } = {},
  ): Promise<OpenedObject> {
    const what = `open ${name} at ${this.#place.name}`;
    return await this.#place.open(this.#pathOf(name, what), 'object', what, options);
  }

  async *list(
    prefix: string,
    { from = '', signal }: AbortableOptions & { readonly from?: string | undefined } = {},
  ): AsyncGenerator<NamedObjectInfo, void, undefined> {
    const { name: replica, root, store } = this.#place;
    const call = { what: `list ${prefix}* at ${replica}`, signal };
    if ((await this.#place.look(call, 'again')) === 'not-yet') return;
    const read = (folder: string): Promise<readonly Entry[]> =>
      this.#place.run(call, async (session) => (await store.readFolder(session, folder)) ?? []);
    for await (const { name, entry } of walkObjects(root.path, prefix, read)) {
      if (name < from) continue;
      const path = posix.join(root.path, name);
      const info = await this.#place.runLocally(call, () => store.objectOf(path, entry));
      if (info !== undefined) yield { name, ...info };
    }
  }

  async delete(
    name: string,
    { version, signal }: AbortableOptions & { readonly version?: string | undefined } = {},
  ): Promise<void> {
    const what = `delete ${name} at ${this.#place.name}`;
    const path = this.#pathOf(name, what);
    if (version !== undefined) throw noVersions(what);
    if ((await this.#place.look({ what, signal }, 'again')) === 'not-yet') return;
    await this.#place.run({ what, signal }, (session) => this.#place.store.remove(session, path));
  }

  #pathOf(name: string, what: string): string {
    const path = objectKey(this.#place.root.path, name);
    if (!isOwnName(name)) return path;
    throw new ReplicationError('REPLICA_UNSUPPORTED', `${what}: the name is one of our own`);
  }
}

/** No file system replaces one version and no other: two processes would both see theirs. */
function noVersions(what: string): ReplicationError {
  const message = `${what}: a folder knows no conditions on versions, so it cannot hold a lease`;
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}
