/** Small things by name, beside the levels: one file each. */

import {
  bodyFromBytes,
  describeReplica,
  isOwnName,
  objectKey,
  ReplicationError,
  walkObjects,
  type AbortableOptions,
  type ByteRange,
  type NamedObjectInfo,
  type NamedObjects,
  type OpenedObject,
  type PutOptions,
} from '@sluice/core/backend';

import type { Attributes, Entry } from './channel.ts';
import type { Place } from './place.ts';

/** SFTP counts times in seconds. */
const SECOND_MS = 1000;

type ObjectEntry = Entry & { readonly kind: 'folder' | 'file' };

export class SFTPObjects implements NamedObjects {
  readonly #place: Place;
  readonly #name: string;

  constructor(place: Place, destination: string) {
    this.#place = place;
    this.#name = describeReplica(destination, place.root.path);
  }

  async put(
    name: string,
    bytes: Uint8Array,
    { condition, signal }: PutOptions = {},
  ): Promise<{ version: string }> {
    const what = `write ${name} to ${this.#name}`;
    const path = this.#pathOf(name, what);
    if (typeof condition === 'object') throw noVersions(what);
    const before = await this.#place.run(signal, what, (channel) => channel.stat(path));
    // A version is told by size and time, so each has a time of its own.
    const times = (nowMs: number) => {
      const modifiedMs = Math.max(nowMs, (before?.modifiedMs ?? 0) + SECOND_MS);
      return { accessedMs: nowMs, modifiedMs };
    };
    const options = { condition: condition ?? 'none', times, signal } as const;
    await this.#place.write(path, what, bodyFromBytes(bytes, new Date(0)), options);
    const written = await this.#place.run(signal, what, (channel) => channel.stat(path));
    if (written !== undefined) return { version: versionOf(written) };
    const message = `${what}: it was removed as soon as it was there`;
    throw new ReplicationError('REPLICA_CHANGED', message);
  }

  async get(
    name: string,
    options: AbortableOptions & { readonly range?: ByteRange | undefined } = {},
  ): Promise<OpenedObject> {
    const what = `open ${name} at ${this.#name}`;
    const path = this.#pathOf(name, what);
    return await this.#place.open(path, what, async (found) => versionOf(found), options);
  }

  async *list(
    prefix: string,
    { from = '', signal }: AbortableOptions & { readonly from?: string | undefined } = {},
  ): AsyncGenerator<NamedObjectInfo, void, undefined> {
    const what = `list ${prefix}* at ${this.#name}`;
    if ((await this.#place.look(signal, what, 'again')) === 'not-yet') return;
    const read = (folder: string): Promise<readonly ObjectEntry[]> =>
      this.#place.run(signal, what, async (channel) => {
        const entries = (await this.#place.readFolder(channel, folder)) ?? [];
        return entries.filter(isFileOrFolder);
      });
    for await (const { name, entry } of walkObjects(this.#place.root.path, prefix, read)) {
      this.#place.tasks.check(signal);
      const { sizeBytes, modifiedMs } = entry;
      if (name < from) continue;
      yield { name, sizeBytes, modifiedAt: new Date(modifiedMs), version: versionOf(entry) };
    }
  }

  async delete(
    name: string,
    { version, signal }: AbortableOptions & { readonly version?: string | undefined } = {},
  ): Promise<void> {
    const what = `delete ${name} at ${this.#name}`;
    const path = this.#pathOf(name, what);
    if (version !== undefined) throw noVersions(what);
    if ((await this.#place.look(signal, what, 'again')) === 'not-yet') return;
    await this.#place.run(signal, what, (channel) => this.#place.remove(channel, path));
  }

  #pathOf(name: string, what: string): string {
    const path = objectKey(this.#place.root.path, name);
    if (!isOwnName(name)) return path;
    throw new ReplicationError('REPLICA_UNSUPPORTED', `${what}: the name is one of our own`);
  }
}

function isFileOrFolder(entry: Entry): entry is ObjectEntry {
  return entry.kind !== 'other' && entry.name !== '.' && entry.name !== '..';
}

function versionOf({ sizeBytes, modifiedMs }: Attributes): string {
  return `${sizeBytes.toString(36)}-${modifiedMs.toString(36)}`;
}

/** A server cannot replace one version and no other: two processes would both see theirs. */
function noVersions(what: string): ReplicationError {
  const message = `${what}: SFTP knows no conditions on versions, so it cannot hold a lease`;
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}
