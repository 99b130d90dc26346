/** Small things by name, beside the levels: one object each, its ETag as version. */

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
import type { Bucket } from './bucket.ts';
import { deleteKey } from './deleting.ts';
import { listKeys } from './listing.ts';
import { openKey } from './opening.ts';
import type { Upload } from './source.ts';
import { upload } from './upload.ts';

export class S3Objects implements NamedObjects {
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
    const what = `write ${name} to ${this.#name}`;
    try {
      const { version } = await upload(this.#bucket, {
        key: objectKey(this.#root, name),
        body: bodyFromBytes(bytes, new Date(0)),
        metadata: {}, // what must be kept is in the body
        condition: conditionOf(condition),
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
    return await openKey(this.#bucket, key, `open ${name} at ${this.#name}`, options);
  }

  async *list(
    prefix: string,
    { from = '', signal }: AbortableOptions & { readonly from?: string | undefined } = {},
  ): AsyncGenerator<NamedObjectInfo, void, undefined> {
    const what = `list ${prefix}* at ${this.#name}`;
    const options = { prefix: objectPrefix(this.#root, prefix), signal };
    for await (const { key, ...info } of listKeys(this.#bucket, what, options)) {
      const name = parseObjectKey(this.#root, key);
      if (name !== undefined && name >= from) yield { name, ...info };
    }
  }

  async delete(
    name: string,
    options: AbortableOptions & { readonly version?: string | undefined } = {},
  ): Promise<void> {
    const { version, signal } = options;
    const what = `delete ${name} at ${this.#name}`;
    await deleteKey(this.#bucket, objectKey(this.#root, name), { what, signal, version });
  }
}

function conditionOf(condition: PutOptions['condition']): Upload['condition'] {
  if (condition === undefined) return {};
  return condition === 'if-absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.version };
}
