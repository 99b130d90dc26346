/** The LTX files of one replica in a bucket. */

import {
  allLevelsPrefix,
  describeFile,
  describeReplica,
  formatTimestamp,
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
import type { Bucket } from './bucket.ts';
import { copyKey } from './copying.ts';
import { deleteKeys } from './deleting.ts';
import { listKeys } from './listing.ts';
import { openKey } from './opening.ts';
import { upload } from './upload.ts';

const LAYOUT = 'hex-level';
/** Where Litestream keeps the time of a file: x-amz-meta-litestream-timestamp. */
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

  /** S3 lists in the order of bytes, and in fixed-width hex that is the order of TXIDs. */
  async *listFiles(
    level: number | 'all',
    { from, signal }: ListOptions = {},
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const what = `list level ${level} at ${this.#name}`;
    const options =
      level === 'all'
        ? { prefix: allLevelsPrefix(LAYOUT, this.#root), signal }
        : { prefix: levelPrefix(LAYOUT, this.#root, level), signal, ...this.#startAt(level, from) };
    for await (const { key, sizeBytes, modifiedAt } of listKeys(this.#bucket, what, options)) {
      const file = parseKey(LAYOUT, this.#root, key);
      if (file === undefined || (from !== undefined && file.minTXID < from)) continue;
      yield { ...file, sizeBytes, modifiedAt };
    }
  }

  async openFile(file: LTXFileRef, options: OpenOptions = {}): Promise<OpenedFile> {
    const what = `open ${describeFile(file)} at ${this.#name}`;
    const { sizeBytes, version, body } = await openKey(
      this.#bucket,
      this.#keyOf(file),
      what,
      options,
    );
    return { sizeBytes, version, body };
  }

  async writeFile(
    file: LTXFileRef,
    body: LTXBody,
    { condition = 'none', signal }: WriteOptions = {},
  ): Promise<LTXFileInfo> {
    const { modifiedAt } = await upload(this.#bucket, {
      key: this.#keyOf(file),
      body,
      metadata: { [TIMESTAMP]: formatTimestamp(body.createdAt) },
      condition: condition === 'if-absent' ? { IfNoneMatch: '*' } : {},
      what: `write ${describeFile(file)} to ${this.#name}`,
      signal,
    });
    return { ...file, sizeBytes: body.sizeBytes, modifiedAt };
  }

  async deleteFiles(
    files: readonly LTXFileRef[],
    { signal }: AbortableOptions = {},
  ): Promise<void> {
    const what = `delete ${files.length} files at ${this.#name}`;
    const byKey = new Map(files.map((file) => [this.#keyOf(file), describeFile(file)]));
    this.#bucket.work.check(signal);
    const failed = await deleteKeys(this.#bucket, [...byKey.keys()], { what, signal });
    const failures = failed.map(({ key, code, message }): FileFailure => ({
      file: byKey.get(key) ?? key,
      code,
      message,
    }));
    const [first] = failures;
    if (first === undefined) return;
    // Where a whole request failed, its message is that of each file in it.
    const of = first.message?.startsWith(what) === true ? '' : `${first.file}: `;
    const said = first.message?.replace(`${what}: `, '') ?? first.code;
    const message = `${what}: ${failures.length} may still be there; ${of}${said}`;
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

  #startAt(level: number, from: ListOptions['from']): { startAfter?: string } {
    return from === undefined ? {} : { startAfter: startAfterKey(LAYOUT, this.#root, level, from) };
  }

  #keyOf(file: LTXFileRef): string {
    return keyOf(LAYOUT, this.#root, file);
  }
}
