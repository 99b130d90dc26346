/** The LTX files of one replica at a place that keeps them by key. */

import type {
  AbortableOptions,
  ListOptions,
  LTXBody,
  LTXFileInfo,
  LTXFileRef,
  OpenedFile,
  OpenOptions,
  ReplicaClient,
  WriteOptions,
} from '../client.ts';
import { describeFile, describeReplica } from '../../replica/describe.ts';
import { checkCopied, checkUploaded } from './keyed-checks.ts';
import { leftBehind, type KeyedDeletes } from './keyed-deleting.ts';
import { listKeys } from './keyed-listing.ts';
import { openKey } from './keyed-opening.ts';
import type { KeyedRoots } from './keyed-roots.ts';
import type { KeyedStore } from './keyed-store.ts';
import { allLevelsPrefix, keyOf, levelPrefix, parseKey, startAfterKey } from '../layout.ts';

/** What the replicas of a destination share. */
export interface KeyedParts {
  readonly deletes: KeyedDeletes;
  readonly roots: KeyedRoots;
}

export class KeyedReplica implements ReplicaClient {
  /** Where the store can. */
  readonly copyFile?: NonNullable<ReplicaClient['copyFile']>;
  readonly #store: KeyedStore;
  readonly #deletes: KeyedDeletes;
  readonly #roots: KeyedRoots;
  readonly #root: string;
  readonly #name: string;

  constructor(store: KeyedStore, { deletes, roots }: KeyedParts, root: string) {
    this.#store = store;
    this.#deletes = deletes;
    this.#roots = roots;
    this.#root = root;
    this.#name = describeReplica(store.name, root);
    if (store.copy !== undefined) this.copyFile = this.#copyWith(store.copy.bind(store));
  }

  /**
   * In byte order of the keys, and in fixed-width hex that is the order of TXIDs. A TXID is where a
   * listing starts: in the prefix it would mean "only this one".
   */
  async *listFiles(
    level: number | 'all',
    { from, signal }: ListOptions = {},
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const what = `list level ${level} at ${this.#name}`;
    const where = this.#whereIs(level, from);
    for await (const { key, ...listed } of listKeys(this.#store, { what, signal, ...where })) {
      const file = parseKey(this.#store.layout, this.#root, key);
      if (file === undefined || (from !== undefined && file.minTXID < from)) continue;
      const { sizeBytes, modifiedAt, createdAt } = listed;
      yield { ...file, sizeBytes, modifiedAt, ...(createdAt !== undefined && { createdAt }) };
    }
  }

  async openFile(
    file: LTXFileRef,
    { range, version: wanted, signal }: OpenOptions = {},
  ): Promise<OpenedFile> {
    const what = `open ${describeFile(file)} at ${this.#name}`;
    const call = { what, signal, range, version: wanted };
    const { sizeBytes, version, body } = await openKey(this.#store, this.#keyOf(file), call);
    return { sizeBytes, version, body };
  }

  async writeFile(
    file: LTXFileRef,
    body: LTXBody,
    { condition = 'none', signal }: WriteOptions = {},
  ): Promise<LTXFileInfo> {
    this.#store.work.check(signal);
    const { sizeBytes } = body;
    const what = `write ${describeFile(file)} to ${this.#name}`;
    await this.#roots.prove(this.#root, { what, signal });
    const uploaded = await this.#store.put({
      key: this.#keyOf(file),
      body,
      createdAt: body.createdAt,
      condition: condition === 'none' ? undefined : condition,
      what,
      signal,
    });
    checkUploaded(uploaded, what);
    const { modifiedAt, createdAt } = uploaded;
    return { ...file, sizeBytes, modifiedAt, ...(createdAt !== undefined && { createdAt }) };
  }

  async deleteFiles(
    files: readonly LTXFileRef[],
    { signal }: AbortableOptions = {},
  ): Promise<void> {
    const what = `delete ${files.length} files at ${this.#name}`;
    const byKey = new Map(files.map((file) => [this.#keyOf(file), describeFile(file)]));
    this.#store.work.check(signal);
    const failed = await this.#deletes.delete([...byKey.keys()], { what, signal });
    const [first, ...rest] = failed;
    if (first === undefined) return;
    throw leftBehind(what, [first, ...rest], (key) => byKey.get(key) ?? key);
  }

  #copyWith(copy: NonNullable<KeyedStore['copy']>): NonNullable<ReplicaClient['copyFile']> {
    return async (from, to, { signal } = {}) => {
      const what = `copy ${describeFile(from)} to ${describeFile(to)} at ${this.#name}`;
      await this.#roots.prove(this.#root, { what, signal });
      const copied = await copy(this.#keyOf(from), this.#keyOf(to), { what, signal });
      checkCopied(copied, what);
      return { ...to, sizeBytes: copied.sizeBytes, modifiedAt: copied.modifiedAt };
    };
  }

  #whereIs(
    level: number | 'all',
    from: ListOptions['from'],
  ): { readonly prefix: string; readonly startAfter?: string } {
    const { layout } = this.#store;
    if (level === 'all') return { prefix: allLevelsPrefix(layout, this.#root) };
    const prefix = levelPrefix(layout, this.#root, level);
    if (from === undefined) return { prefix };
    return { prefix, startAfter: startAfterKey(layout, this.#root, level, from) };
  }

  #keyOf(file: LTXFileRef): string {
    return keyOf(this.#store.layout, this.#root, file);
  }
}
