/** The LTX files of one replica in a container. */

import {
  allLevelsPrefix,
  describeFile,
  describeReplica,
  formatTimestamp,
  keyOf,
  levelPrefix,
  parseKey,
  parseTimestamp,
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
import { copyBlob, deleteBlobs, listBlobs, openBlob } from './blobs.ts';
import type { Place } from './place.ts';
import { upload } from './upload.ts';

const LAYOUT = 'tree';
/** Where Litestream keeps the time of a file; names of metadata have no hyphens here. */
const TIMESTAMP = 'litestreamtimestamp';

export class AzureReplica implements ReplicaClient {
  readonly #place: Place;
  readonly #root: string;
  readonly #name: string;

  constructor(place: Place, root: string) {
    this.#place = place;
    this.#root = root;
    this.#name = describeReplica(place.name, root);
  }

  /** Azure lists in the order of names, and in fixed-width hex that is the order of TXIDs. */
  async *listFiles(
    level: number | 'all',
    { from, signal }: ListOptions = {},
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const what = `list level ${level} at ${this.#name}`;
    const options =
      level === 'all'
        ? { prefix: allLevelsPrefix(LAYOUT, this.#root), signal }
        : { prefix: levelPrefix(LAYOUT, this.#root, level), signal, ...this.#startAt(level, from) };
    for await (const { key, sizeBytes, modifiedAt, metadata } of listBlobs(
      this.#place,
      what,
      options,
    )) {
      const file = parseKey(LAYOUT, this.#root, key);
      if (file === undefined || (from !== undefined && file.minTXID < from)) continue;
      yield {
        ...file,
        sizeBytes,
        modifiedAt,
        createdAt: parseTimestamp(metadata[TIMESTAMP] ?? ''),
      };
    }
  }

  async openFile(file: LTXFileRef, options: OpenOptions = {}): Promise<OpenedFile> {
    const what = `open ${describeFile(file)} at ${this.#name}`;
    const opened = await openBlob(this.#place, this.#keyOf(file), what, options);
    const { sizeBytes, version, body } = opened;
    return { sizeBytes, version, body };
  }

  async writeFile(
    file: LTXFileRef,
    body: LTXBody,
    { condition = 'none', signal }: WriteOptions = {},
  ): Promise<LTXFileInfo> {
    const { createdAt, sizeBytes } = body;
    const { modifiedAt } = await upload(this.#place, {
      key: this.#keyOf(file),
      body,
      metadata: { [TIMESTAMP]: formatTimestamp(createdAt) },
      conditions: condition === 'if-absent' ? { ifNoneMatch: '*' } : {},
      tier: this.#place.config.accessTier,
      what: `write ${describeFile(file)} to ${this.#name}`,
      signal,
    });
    return { ...file, sizeBytes, modifiedAt, createdAt };
  }

  async deleteFiles(
    files: readonly LTXFileRef[],
    { signal }: AbortableOptions = {},
  ): Promise<void> {
    const what = `delete ${files.length} files at ${this.#name}`;
    const byKey = new Map(files.map((file) => [this.#keyOf(file), describeFile(file)]));
    this.#place.work.check(signal);
    const failed = await deleteBlobs(this.#place, [...byKey.keys()], { what, signal });
    const failures = failed.map(({ key, code, message }): FileFailure => ({
      file: byKey.get(key) ?? key,
      code,
      message,
    }));
    const [first] = failures;
    if (first === undefined) return;
    const said = first.message?.replace(`${what}: `, '') ?? first.code;
    const message = `${what}: ${failures.length} may still be there; ${first.file}: ${said}`;
    throw new ReplicationError(first.code, message, { failures });
  }

  async copyFile(
    from: LTXFileRef,
    to: LTXFileRef,
    { signal }: AbortableOptions = {},
  ): Promise<LTXFileInfo> {
    const what = `copy ${describeFile(from)} to ${describeFile(to)} at ${this.#name}`;
    const keys = [this.#keyOf(from), this.#keyOf(to)] as const;
    return { ...to, ...(await copyBlob(this.#place, ...keys, { what, signal })) };
  }

  #startAt(level: number, from: ListOptions['from']): { startFrom?: string } {
    return from === undefined ? {} : { startFrom: startAfterKey(LAYOUT, this.#root, level, from) };
  }

  #keyOf(file: LTXFileRef): string {
    return keyOf(LAYOUT, this.#root, file);
  }
}
