/** Small things by name, beside the levels: one blob each, its ETag as version. */

import {
  bodyFromBytes,
  describeReplica,
  isError,
  objectKey,
  objectPrefix,
  parseObjectKey,
  ReplicationError,
  type AbortableOptions,
  type ByteRange,
  type NamedObjectInfo,
  type NamedObjects,
  type OpenedObject,
  type PutOptions,
} from '@sluice/core/backend';
import { deleteBlob, listBlobs, openBlob } from './blobs.ts';
import type { Place } from './place.ts';
import { upload, type Upload } from './upload.ts';

export class AzureObjects implements NamedObjects {
  readonly #place: Place;
  readonly #root: string;
  readonly #name: string;

  constructor(place: Place, root: string) {
    this.#place = place;
    this.#root = root;
    this.#name = describeReplica(place.name, root);
  }

  async put(
    name: string,
    bytes: Uint8Array,
    { condition, signal }: PutOptions = {},
  ): Promise<{ version: string }> {
    const what = `write ${name} to ${this.#name}`;
    try {
      const { version } = await upload(this.#place, {
        key: objectKey(this.#root, name),
        body: bodyFromBytes(bytes, new Date(0)),
        metadata: {}, // what must be kept is in the body
        conditions: conditionsOf(condition),
        tier: undefined, // it is small, and read often
        what,
        signal,
      });
      return { version };
    } catch (error) {
      // What is gone has not the version that was asked for.
      if (!isError(error, 'REPLICA_NOT_FOUND') || typeof condition !== 'object') throw error;
      throw new ReplicationError('REPLICA_CONFLICT', `${what}: it is gone`, { cause: error });
    }
  }

  async get(
    name: string,
    options: AbortableOptions & { readonly range?: ByteRange | undefined } = {},
  ): Promise<OpenedObject> {
    const key = objectKey(this.#root, name);
    return await openBlob(this.#place, key, `open ${name} at ${this.#name}`, options);
  }

  async *list(
    prefix: string,
    { from = '', signal }: AbortableOptions & { readonly from?: string | undefined } = {},
  ): AsyncGenerator<NamedObjectInfo, void, undefined> {
    const what = `list ${prefix}* at ${this.#name}`;
    const options = { prefix: objectPrefix(this.#root, prefix), signal };
    for await (const { key, sizeBytes, modifiedAt, version } of listBlobs(
      this.#place,
      what,
      options,
    )) {
      const name = parseObjectKey(this.#root, key);
      if (name !== undefined && name >= from) yield { name, sizeBytes, modifiedAt, version };
    }
  }

  async delete(
    name: string,
    options: AbortableOptions & { readonly version?: string | undefined } = {},
  ): Promise<void> {
    const { version, signal } = options;
    const what = `delete ${name} at ${this.#name}`;
    await deleteBlob(this.#place, objectKey(this.#root, name), { what, signal, version });
  }
}

function conditionsOf(condition: PutOptions['condition']): Upload['conditions'] {
  if (condition === undefined) return {};
  return condition === 'if-absent' ? { ifNoneMatch: '*' } : { ifMatch: condition.version };
}
