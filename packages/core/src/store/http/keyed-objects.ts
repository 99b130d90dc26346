/**
 * Named objects at a place that keeps them by key, each with a version of the place's own: an ETag,
 * a generation. Keys, the start of a listing, and what a version that is gone means are done here.
 */

import { isError, ReplicationError } from '../../error.ts';
import { bodyFromBytes } from '../body.ts';
import type {
  AbortableOptions,
  ByteRange,
  NamedObjectInfo,
  NamedObjects,
  OpenedObject,
  PutOptions,
} from '../client.ts';
import { describeReplica } from '../../replica/describe.ts';
import { checkUploaded } from './keyed-checks.ts';
import { listKeys } from './keyed-listing.ts';
import { openKey } from './keyed-opening.ts';
import type { KeyedRoots } from './keyed-roots.ts';
import type { KeyedStore } from './keyed-store.ts';
import { objectKey, objectPrefix, parseObjectKey } from '../layout.ts';

export class KeyedObjects implements NamedObjects {
  readonly #store: KeyedStore;
  readonly #roots: KeyedRoots;
  readonly #root: string;
  readonly #name: string;

  constructor(store: KeyedStore, roots: KeyedRoots, root: string) {
    this.#store = store;
    this.#roots = roots;
    this.#root = root;
    this.#name = describeReplica(store.name, root);
  }

  async put(
    name: string,
    bytes: Uint8Array,
    { condition, signal }: PutOptions = {},
  ): Promise<{ version: string }> {
    const what = `write ${name} to ${this.#name}`;
    const key = objectKey(this.#root, name);
    const body = bodyFromBytes(bytes, new Date(0));
    this.#store.work.check(signal);
    await this.#roots.prove(this.#root, { what, signal });
    try {
      const upload = { key, body, createdAt: undefined, condition, what, signal };
      const uploaded = await this.#store.put(upload);
      checkUploaded(uploaded, what);
      return { version: uploaded.version };
    } catch (error) {
      if (!isError(error, 'REPLICA_NOT_FOUND') || typeof condition !== 'object') throw error;
      throw gone(what, error);
    }
  }

  async get(
    name: string,
    { range, signal }: AbortableOptions & { readonly range?: ByteRange | undefined } = {},
  ): Promise<OpenedObject> {
    const call = { what: `open ${name} at ${this.#name}`, signal, range };
    return await openKey(this.#store, objectKey(this.#root, name), call);
  }

  async *list(
    prefix: string,
    { from = '', signal }: AbortableOptions & { readonly from?: string | undefined } = {},
  ): AsyncGenerator<NamedObjectInfo, void, undefined> {
    const listed = listKeys(this.#store, {
      what: `list ${prefix}* at ${this.#name}`,
      prefix: objectPrefix(this.#root, prefix),
      startAt: objectPrefix(this.#root, from),
      signal,
    });
    for await (const { key, sizeBytes, modifiedAt, version } of listed) {
      const name = parseObjectKey(this.#root, key);
      if (name !== undefined && name >= from) yield { name, sizeBytes, modifiedAt, version };
    }
  }

  async delete(
    name: string,
    { version, signal }: AbortableOptions & { readonly version?: string | undefined } = {},
  ): Promise<void> {
    const what = `delete ${name} at ${this.#name}`;
    try {
      await this.#store.delete(objectKey(this.#root, name), { what, signal, version });
    } catch (error) {
      if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
      if (version !== undefined) throw gone(what, error);
    }
  }
}

/** What is gone has not the version that was asked for. */
function gone(what: string, cause: ReplicationError): ReplicationError {
  return new ReplicationError('REPLICA_CONFLICT', `${what}: it is gone`, { cause });
}
