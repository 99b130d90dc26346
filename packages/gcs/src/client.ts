/** The destination "a bucket": one SDK client for all its replicas; and the files of one replica. */

import {
  allLevelsPrefix,
  describeFile,
  describeReplica,
  formatTimestamp,
  isError,
  keyOf,
  levelPrefix,
  parseKey,
  parseTimestamp,
  ReplicationError,
  startAfterKey,
  type AbortableOptions,
  type ConnectContext,
  type Destination,
  type FileFailure,
  type ListOptions,
  type LTXBody,
  type LTXFileInfo,
  type LTXFileRef,
  type OpenedFile,
  type OpenOptions,
  type ReplicaClient,
  type WriteOptions,
} from '@sluice/core/backend';
import { Bucket } from './bucket.ts';
import type { GCSConfig } from './config.ts';
import { copyKey, deleteKey, listKeys } from './keys.ts';
import { generationOf, objectsOf } from './objects.ts';
import { openKey } from './reading.ts';
import { makeStorage } from './storage.ts';
import { upload } from './upload.ts';

const LAYOUT = 'tree';
/** Where Litestream keeps the time of a file: in the object's metadata. */
const TIMESTAMP = 'litestream-timestamp';
/** Half of the sockets: others have something to send meanwhile. */
const DELETES_AT_ONCE = 8;

/** Sends nothing: what is not right is told by the first call. */
export async function connect(config: GCSConfig, context: ConnectContext): Promise<Destination> {
  const storage = await makeStorage(config, context.access);
  const bucket = new Bucket(config, storage, context.logger);
  let closed: Promise<void> | undefined;
  return {
    name: bucket.name,
    capabilities: { ranges: true, ifAbsent: 'any-size' },
    replica: (path) => new GCSReplica(bucket, path),
    objects: (path) => objectsOf(bucket, path),
    close: async () => await (closed ??= bucket.close()),
  };
}

class GCSReplica implements ReplicaClient {
  readonly #bucket: Bucket;
  readonly #root: string;
  readonly #name: string;

  constructor(bucket: Bucket, root: string) {
    this.#bucket = bucket;
    this.#root = root;
    this.#name = describeReplica(bucket.name, root);
  }

  /**
   * In the order of bytes, and in fixed-width hex that is the order of TXIDs. A TXID goes into
   * `startOffset`, where it means "from here on"; in the prefix it would mean "only this one".
   */
  async *listFiles(
    level: number | 'all',
    { from, signal }: ListOptions = {},
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const what = `list level ${level} at ${this.#name}`;
    const options =
      level === 'all'
        ? { prefix: allLevelsPrefix(LAYOUT, this.#root), signal }
        : {
            prefix: levelPrefix(LAYOUT, this.#root, level),
            startOffset: from && startAfterKey(LAYOUT, this.#root, level, from),
            signal,
          };
    for await (const { key, metadata, ...listed } of listKeys(this.#bucket, what, options)) {
      const file = parseKey(LAYOUT, this.#root, key);
      if (file === undefined || (from !== undefined && file.minTXID < from)) continue;
      const { sizeBytes, modifiedAt } = listed;
      const createdAt = parseTimestamp(metadata[TIMESTAMP] ?? '');
      yield { ...file, sizeBytes, modifiedAt, ...(createdAt !== undefined && { createdAt }) };
    }
  }

  async openFile(file: LTXFileRef, options: OpenOptions = {}): Promise<OpenedFile> {
    const what = `open ${describeFile(file)} at ${this.#name}`;
    const opened = await openKey(this.#bucket, this.#keyOf(file), what, options);
    return { sizeBytes: opened.sizeBytes, version: opened.version, body: opened.body };
  }

  async writeFile(
    file: LTXFileRef,
    body: LTXBody,
    { condition, signal }: WriteOptions = {},
  ): Promise<LTXFileInfo> {
    const { modifiedAt } = await upload(this.#bucket, {
      key: this.#keyOf(file),
      body,
      metadata: { [TIMESTAMP]: formatTimestamp(body.createdAt) },
      ifGenerationMatch: generationOf(condition),
      what: `write ${describeFile(file)} to ${this.#name}`,
      signal,
    });
    return { ...file, sizeBytes: body.sizeBytes, modifiedAt, createdAt: body.createdAt };
  }

  async deleteFiles(
    files: readonly LTXFileRef[],
    { signal }: AbortableOptions = {},
  ): Promise<void> {
    const what = `delete ${files.length} files at ${this.#name}`;
    this.#bucket.work.check(signal);
    const failures: FileFailure[] = [];
    const queue = files.values();
    const lane = async (): Promise<void> => {
      for (const file of queue) {
        const failure = await this.#delete(file, signal);
        if (failure !== undefined) failures.push(failure);
      }
    };
    await Promise.all(Array.from({ length: DELETES_AT_ONCE }, lane));
    const [first] = failures;
    if (first === undefined) return;
    const message = `${what}: ${failures.length} may still be there; first: ${first.message}`;
    throw new ReplicationError(first.code, message, { failures });
  }

  async copyFile(
    from: LTXFileRef,
    to: LTXFileRef,
    { signal }: AbortableOptions = {},
  ): Promise<LTXFileInfo> {
    const what = `copy ${describeFile(from)} to ${describeFile(to)} at ${this.#name}`;
    const keys = [this.#keyOf(from), this.#keyOf(to)] as const;
    return { ...to, ...(await copyKey(this.#bucket, ...keys, { what, signal })) };
  }

  async #delete(
    file: LTXFileRef,
    signal: AbortSignal | undefined,
  ): Promise<FileFailure | undefined> {
    const what = `delete ${describeFile(file)}`;
    try {
      await deleteKey(this.#bucket, this.#keyOf(file), { what, signal });
      return undefined;
    } catch (error) {
      if (isError(error, 'REPLICA_NOT_FOUND')) return undefined;
      // An abort or a close ends the whole call.
      if (!isError(error) || error.code === 'REPLICA_CLOSED') throw error;
      return { file: describeFile(file), code: error.code, message: error.message };
    }
  }

  #keyOf(file: LTXFileRef): string {
    return keyOf(LAYOUT, this.#root, file);
  }
}
