/**
 * Small objects of a replica by name: a lease, certificates, probes. Names consist of `[a-z0-9._/-]`, without
 * empty or dot segments, and are not below a level of LTX files. There is no metadata: everything is in the
 * body.
 */

import { ReplicationError } from '../error.ts';
import { bodyFromBytes } from '../store/body.ts';
import type {
  ByteRange,
  ObjectInfo,
  OpenedObject,
  PutOptions,
  ReplicaClient,
} from '../store/client.ts';
import { objectKey, objectPrefix, parseObjectKey } from '../store/layout.ts';
import { OBJECT_BYTES_MAX } from '../store/policy/conflict.ts';
import type { KeyProof } from './key-proof.ts';

/** A named object, as written or listed. */
export interface NamedObjectInfo extends Omit<ObjectInfo, 'key'> {
  readonly name: string;
}

type Signal = Pick<PutOptions, 'signal'>;

/** Small objects beside the LTX files of a replica, such as `lock.json`. */
export class NamedObjects {
  readonly #client: ReplicaClient;
  readonly #root: string;
  readonly #proof: KeyProof;

  constructor(client: ReplicaClient, root: string, proof: KeyProof) {
    this.#client = client;
    this.#root = root;
    this.#proof = proof;
  }

  /** Writes up to 1 MiB. REPLICA_CONFLICT if the condition fails. */
  async put(
    name: string,
    bytes: Uint8Array,
    options: Pick<PutOptions, 'condition' | 'signal'> = {},
  ): Promise<NamedObjectInfo> {
    const key = objectKey(this.#root, name);
    if (bytes.byteLength > OBJECT_BYTES_MAX) {
      const message = `write ${name}: ${bytes.byteLength} bytes; the maximum is ${OBJECT_BYTES_MAX}`;
      throw new ReplicationError('REPLICA_UNSUPPORTED', message);
    }
    await this.#proof.prove(options);
    const info = await this.#client.put(key, bodyFromBytes(bytes), this.#with(options));
    return toNamed(name, info);
  }

  async get(
    name: string,
    options: Signal & { readonly range?: ByteRange | undefined } = {},
  ): Promise<OpenedObject> {
    return await this.#client.get(objectKey(this.#root, name), this.#with(options));
  }

  /** Lists objects in byte order of their names. */
  async *list(
    prefix: string,
    options: Signal = {},
  ): AsyncGenerator<NamedObjectInfo, void, undefined> {
    const listed = this.#client.list(objectPrefix(this.#root, prefix), this.#with(options));
    for await (const info of listed) {
      const name = parseObjectKey(this.#root, info.key);
      if (name !== undefined) yield toNamed(name, info);
    }
  }

  /** Deleting a missing object succeeds, unless a version is given (REPLICA_CONFLICT). */
  async delete(
    name: string,
    options: Signal & { readonly version?: string | undefined } = {},
  ): Promise<void> {
    await this.#client.delete([objectKey(this.#root, name)], this.#with(options));
  }

  #with<Options extends Signal>(options: Options): Options & { readonly root: string } {
    return { ...options, root: this.#root };
  }
}

function toNamed(name: string, info: ObjectInfo): NamedObjectInfo {
  const { sizeBytes, modifiedAt, version, createdAt } = info;
  return { name, sizeBytes, modifiedAt, version, createdAt };
}
