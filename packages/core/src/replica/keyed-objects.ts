/**
 * Named objects at a place that keeps them by key, each with a version of the place's own: an ETag,
 * a generation. Keys, the start of a listing, and what a version that is gone means are done here.
 */

import { isError, ReplicationError } from '../error.ts';
import { bodyFromBytes } from './body.ts';
import type {
  AbortableOptions,
  ByteRange,
  LTXBody,
  NamedObjectInfo,
  NamedObjects,
  OpenedObject,
  PutOptions,
} from './client.ts';
import { describeReplica } from './describe.ts';
import { objectKey, objectPrefix, parseObjectKey } from './layout.ts';

/** One call: `what` is being done, for messages. */
export interface KeyedCall {
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

export interface KeyedObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
}

export interface KeyedStore {
  /** Of the destination, for messages: "s3://bucket". */
  readonly name: string;
  /** REPLICA_CONFLICT, or REPLICA_NOT_FOUND where nothing has the version that was asked for. */
  put(
    key: string,
    body: LTXBody,
    call: KeyedCall & Pick<PutOptions, 'condition'>,
  ): Promise<{ readonly version: string }>;
  open(
    key: string,
    what: string,
    options: AbortableOptions & { readonly range?: ByteRange | undefined },
  ): Promise<OpenedObject>;
  /** In byte order of the keys; may begin at `fromKey`, or before it. */
  list(
    call: KeyedCall & { readonly prefix: string; readonly fromKey: string },
  ): AsyncIterable<KeyedObject>;
  /** What is not there may be REPLICA_NOT_FOUND, or no failure. */
  delete(key: string, call: KeyedCall & { readonly version?: string | undefined }): Promise<void>;
}

export class KeyedObjects implements NamedObjects {
  readonly #store: KeyedStore;
  readonly #root: string;
  readonly #name: string;

  constructor(store: KeyedStore, root: string) {
    this.#store = store;
    this.#root = root;
    this.#name = describeReplica(store.name, root);
  }

  async put(
    name: string,
    bytes: Uint8Array,
    { condition, signal }: PutOptions = {},
  ): Promise<{ version: string }> {
    const what = `write ${name} to ${this.#name}`;
    const body = bodyFromBytes(bytes, new Date(0));
    try {
      const call = { condition, what, signal };
      const { version } = await this.#store.put(objectKey(this.#root, name), body, call);
      return { version };
    } catch (error) {
      if (!isError(error, 'REPLICA_NOT_FOUND') || typeof condition !== 'object') throw error;
      throw gone(what, error);
    }
  }

  async get(
    name: string,
    options: AbortableOptions & { readonly range?: ByteRange | undefined } = {},
  ): Promise<OpenedObject> {
    const key = objectKey(this.#root, name);
    return await this.#store.open(key, `open ${name} at ${this.#name}`, options);
  }

  async *list(
    prefix: string,
    { from = '', signal }: AbortableOptions & { readonly from?: string | undefined } = {},
  ): AsyncGenerator<NamedObjectInfo, void, undefined> {
    const listed = this.#store.list({
      what: `list ${prefix}* at ${this.#name}`,
      prefix: objectPrefix(this.#root, prefix),
      fromKey: objectPrefix(this.#root, from),
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
