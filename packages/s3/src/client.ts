/** The LTX files of one replica in a bucket. */

import {
  allLevelsPrefix,
  compareFiles,
  describeFile,
  describeReplica,
  formatTimestamp,
  isError,
  keyOf,
  levelPrefix,
  parseKey,
  ReplicationError,
  startAfterKey,
  type AbortableOptions,
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
import type { Bucket } from './destination.ts';
import { codeOfObject } from './errors.ts';
import { listKeys } from './listing.ts';
import { openKey } from './opening.ts';
import { customerKey, request, storage } from './requests.ts';
import { upload } from './upload.ts';

const LAYOUT = 'hex-level';
/** DeleteObjects takes no more keys. */
const DELETES_MAX = 1_000;
/** As Litestream writes it: of the newest change in the file. */
const TIMESTAMP = 'litestream-timestamp';

export class S3Replica implements ReplicaClient {
  readonly #bucket: Bucket;
  readonly #root: string;
  readonly #name: string;

  constructor(bucket: Bucket, root: string) {
    this.#bucket = bucket;
    this.#root = root;
    this.#name = describeReplica(bucket.name, root);
  }

  async *listFiles(
    level: number | 'all',
    { from, signal }: ListOptions = {},
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const what = `list level ${level} at ${this.#name}`;
    const root = this.#root;
    const prefix =
      level === 'all' ? allLevelsPrefix(LAYOUT, root) : levelPrefix(LAYOUT, root, level);
    const startAfter =
      level === 'all' || from === undefined ? undefined : startAfterKey(LAYOUT, root, level, from);
    let last: LTXFileInfo | undefined;
    for await (const { key, sizeBytes, modifiedAt } of listKeys(this.#bucket, what, {
      prefix,
      startAfter,
      signal,
    })) {
      const file = parseKey(LAYOUT, root, key);
      if (file === undefined || (from !== undefined && file.minTXID < from)) continue;
      const info = { ...file, sizeBytes, modifiedAt };
      // S3 lists in byte order, which in fixed-width hex is that of TXIDs; some servers do not.
      if (last !== undefined && last.level === info.level && compareFiles(last, info) > 0) {
        throw new ReplicationError(
          'REPLICA_UNSUPPORTED',
          `${what}: the server does not list in order`,
        );
      }
      last = info;
      yield info;
    }
  }

  async openFile(file: LTXFileRef, options: OpenOptions = {}): Promise<OpenedFile> {
    const what = `open ${describeFile(file)} at ${this.#name}`;
    return await openKey(this.#bucket, keyOf(LAYOUT, this.#root, file), what, options);
  }

  async writeFile(
    file: LTXFileRef,
    body: LTXBody,
    { condition = 'none', signal }: WriteOptions = {},
  ): Promise<LTXFileInfo> {
    const what = `write ${describeFile(file)} to ${this.#name}`;
    signal?.throwIfAborted();
    await upload(this.#bucket, {
      key: keyOf(LAYOUT, this.#root, file),
      body,
      metadata: { [TIMESTAMP]: formatTimestamp(body.createdAt) },
      condition,
      what,
      signal,
    });
    return { ...file, sizeBytes: body.sizeBytes, modifiedAt: new Date() };
  }

  async deleteFiles(
    files: readonly LTXFileRef[],
    { signal }: AbortableOptions = {},
  ): Promise<void> {
    const what = `delete ${files.length} files at ${this.#name}`;
    const failures: FileFailure[] = [];
    for (let index = 0; index < files.length; index += DELETES_MAX) {
      const batch = files.slice(index, index + DELETES_MAX);
      failures.push(...(await this.#deleteBatch(batch, what, signal)));
    }
    const [first] = failures;
    if (first === undefined) return;
    const message = `${what}: ${failures.length} are still there, first ${first.file}: ${first.message ?? first.code}`;
    throw new ReplicationError(first.code, message, { failures });
  }

  async copyFile(
    from: LTXFileRef,
    to: LTXFileRef,
    { signal }: AbortableOptions = {},
  ): Promise<LTXFileInfo> {
    const { client, sdk, config } = this.#bucket;
    const what = `copy ${describeFile(from)} to ${describeFile(to)} at ${this.#name}`;
    const source = `${config.bucket}/${keyOf(LAYOUT, this.#root, from)}`;
    const command = new sdk.CopyObjectCommand({
      Bucket: config.bucket,
      Key: keyOf(LAYOUT, this.#root, to),
      CopySource: source.split('/').map(encodeURIComponent).join('/'),
      ...storage(this.#bucket),
    });
    await request(this.#bucket, what, signal, (abortSignal) =>
      client.send(command, { abortSignal }),
    );
    const head = new sdk.HeadObjectCommand({
      Bucket: config.bucket,
      Key: keyOf(LAYOUT, this.#root, to),
      ...customerKey(this.#bucket),
    });
    const { ContentLength = 0, LastModified = new Date() } = await request(
      this.#bucket,
      what,
      signal,
      (abortSignal) => client.send(head, { abortSignal }),
    );
    return { ...to, sizeBytes: ContentLength, modifiedAt: LastModified };
  }

  async #deleteBatch(
    files: readonly LTXFileRef[],
    what: string,
    signal: AbortSignal | undefined,
  ): Promise<FileFailure[]> {
    const { client, sdk, config } = this.#bucket;
    const keys = files.map((file) => keyOf(LAYOUT, this.#root, file));
    const command = new sdk.DeleteObjectsCommand({
      Bucket: config.bucket,
      Delete: { Objects: keys.map((Key) => ({ Key })) },
    });
    try {
      const { Errors = [] } = await request(this.#bucket, what, signal, (abortSignal) =>
        client.send(command, { abortSignal }),
      );
      return Errors.flatMap(({ Key = '', Code, Message }) => {
        const code = codeOfObject(Code);
        if (code === 'REPLICA_NOT_FOUND') return [];
        const file = files[keys.indexOf(Key)];
        const name = file === undefined ? Key : describeFile(file);
        return [{ file: name, code, message: `${Code ?? 'failed'}: ${Message ?? ''}` }];
      });
    } catch (error) {
      if (!isError(error) || error.code === 'REPLICA_CLOSED') throw error;
      const { code, message } = error;
      return files.map((file) => ({ file: describeFile(file), code, message }));
    }
  }
}
