/** Small things by name, beside the levels: one object each, its generation as version. */

import {
  bodyFromBytes,
  describeReplica,
  isError,
  objectKey,
  objectPrefix,
  parseObjectKey,
  ReplicationError,
  type AbortableOptions,
  type NamedObjectInfo,
  type NamedObjects,
  type OpenedObject,
  type PutOptions,
} from '@sluice/core/backend';
import type { Bucket } from './bucket.ts';
import { deleteKey, listKeys } from './keys.ts';
import { openKey, type ReadOptions } from './reading.ts';
import { upload } from './upload.ts';

export class GCSObjects implements NamedObjects {
  readonly #bucket: Bucket;
  readonly #root: string;
  readonly #name: string;

  constructor(bucket: Bucket, root: string) {
    this.#bucket = bucket;
    this.#root = root;
    this.#name = describeReplica(bucket.name, root);
  }

  async put(
    name: string,
    bytes: Uint8Array,
    { condition, signal }: PutOptions = {},
  ): Promise<{ version: string }> {
    const { version } = await upload(this.#bucket, {
      key: objectKey(this.#root, name),
      body: bodyFromBytes(bytes, new Date(0)),
      metadata: {}, // what must be kept is in the body
      ifGenerationMatch:
        typeof condition === 'object' ? condition.version : generationOf(condition),
      what: `write ${name} to ${this.#name}`,
      signal,
    });
    return { version };
  }

  async get(name: string, options: Omit<ReadOptions, 'version'> = {}): Promise<OpenedObject> {
    const key = objectKey(this.#root, name);
    return await openKey(this.#bucket, key, `open ${name} at ${this.#name}`, options);
  }

  async *list(
    prefix: string,
    { from = '', signal }: AbortableOptions & { readonly from?: string | undefined } = {},
  ): AsyncGenerator<NamedObjectInfo, void, undefined> {
    const what = `list ${prefix}* at ${this.#name}`;
    const options = {
      prefix: objectPrefix(this.#root, prefix),
      startOffset: objectPrefix(this.#root, from),
      signal,
    };
    for await (const { key, sizeBytes, modifiedAt, version } of listKeys(
      this.#bucket,
      what,
      options,
    )) {
      const name = parseObjectKey(this.#root, key);
      if (name !== undefined && name >= from) yield { name, sizeBytes, modifiedAt, version };
    }
  }

  async delete(
    name: string,
    { version, signal }: AbortableOptions & { readonly version?: string | undefined } = {},
  ): Promise<void> {
    const what = `delete ${name} at ${this.#name}`;
    const key = objectKey(this.#root, name);
    try {
      await deleteKey(this.#bucket, key, { what, signal, ifGenerationMatch: version });
    } catch (error) {
      if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
      if (version === undefined) return;
      throw new ReplicationError('REPLICA_CONFLICT', `${what}: it is gone`, { cause: error });
    }
  }
}

/** Generation 0 is that of an object that is not there. */
export function generationOf(condition: 'if-absent' | 'none' | undefined): string | undefined {
  return condition === 'if-absent' ? '0' : undefined;
}
