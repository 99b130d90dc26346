/** Small things by name, beside the levels: one object each, its ETag as version. */

import {
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
import type { Bucket } from './destination.ts';
import { listKeys } from './listing.ts';
import { openKey } from './opening.ts';
import { contentMD5, request, storage } from './requests.ts';

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
    const { client, sdk, config } = this.#bucket;
    const what = `write ${name} to ${this.#name}`;
    const command = new sdk.PutObjectCommand({
      Bucket: config.bucket,
      Key: objectKey(this.#root, name),
      Body: bytes,
      ContentLength: bytes.length,
      ...(condition === 'if-absent' && { IfNoneMatch: '*' }),
      ...(typeof condition === 'object' && { IfMatch: condition.version }),
      ...contentMD5(this.#bucket, bytes),
      ...storage(this.#bucket),
    });
    try {
      const { ETag = '' } = await request(this.#bucket, what, signal, (abortSignal) =>
        client.send(command, { abortSignal }),
      );
      return { version: ETag };
    } catch (error) {
      // What is no longer there has not the version that was asked for.
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
    { version, signal }: AbortableOptions & { readonly version?: string | undefined } = {},
  ): Promise<void> {
    const { client, sdk, config } = this.#bucket;
    const what = `delete ${name} at ${this.#name}`;
    const command = new sdk.DeleteObjectCommand({
      Bucket: config.bucket,
      Key: objectKey(this.#root, name),
      ...(version !== undefined && { IfMatch: version }),
    });
    try {
      await request(this.#bucket, what, signal, (abortSignal) =>
        client.send(command, { abortSignal }),
      );
    } catch (error) {
      if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
      if (version === undefined) return;
      throw new ReplicationError('REPLICA_CONFLICT', `${what}: it is gone`, { cause: error });
    }
  }
}
