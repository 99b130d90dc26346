/** Named objects in memory. */

import type {
  AbortableOptions,
  ByteRange,
  NamedObjectInfo,
  NamedObjects,
  OpenedObject,
  PutOptions,
} from './client.ts';
import { checkObjectName, objectKey, objectPrefix, parseObjectKey } from './layout.ts';
import { MemoryPlace, type Settings } from './memory-place.ts';

type GetOptions = AbortableOptions & { readonly range?: ByteRange | undefined };
type ListOptions = AbortableOptions & { readonly from?: string | undefined };
type DeleteOptions = AbortableOptions & { readonly version?: string | undefined };

export class MemoryObjects implements NamedObjects {
  readonly #place: MemoryPlace;
  readonly #settings: Settings;

  constructor(path: string, settings: Settings) {
    this.#place = new MemoryPlace(path, settings);
    this.#settings = settings;
  }

  async put(
    name: string,
    bytes: Uint8Array,
    { condition, signal }: PutOptions = {},
  ): Promise<{ version: string }> {
    const what = `write ${name}`;
    const key = objectKey(this.#place.root, name);
    await this.#place.enter(what, { signal });
    if (condition !== undefined && this.#settings.capabilities.ifAbsent === undefined) {
      throw this.#place.refused(what, 'conditions');
    }
    const there = this.#settings.store.objects.get(key)?.version;
    const wanted = condition === 'if-absent' ? undefined : condition?.version;
    if (condition !== undefined && there !== wanted) throw this.#place.conflict(what);
    const times = { modifiedAt: this.#settings.now() };
    return { version: this.#settings.store.put(key, bytes.slice(), times).version };
  }

  async get(name: string, { range, signal }: GetOptions = {}): Promise<OpenedObject> {
    const what = `open ${name}`;
    const key = objectKey(this.#place.root, name);
    await this.#place.enter(what, { signal });
    const { bytes, version, modifiedAt } = this.#place.find(key, what);
    this.#place.checkRange(what, range, bytes.byteLength);
    const body = this.#place.read(bytes, range ?? { start: 0 }, signal);
    return { sizeBytes: bytes.byteLength, modifiedAt, version, body };
  }

  async *list(
    prefix: string,
    { from = '', signal }: ListOptions = {},
  ): AsyncGenerator<NamedObjectInfo, void, undefined> {
    const { root } = this.#place;
    const { store } = this.#settings;
    await this.#place.enter(`list ${prefix}*`, { signal });
    for (const key of store.keys(objectPrefix(root, prefix))) {
      this.#place.check(signal);
      const name = parseObjectKey(root, key);
      const stored = store.objects.get(key);
      if (name === undefined || stored === undefined || name < from) continue;
      const { bytes, modifiedAt, version } = stored;
      yield { name, sizeBytes: bytes.byteLength, modifiedAt, version };
    }
  }

  async delete(name: string, { version, signal }: DeleteOptions = {}): Promise<void> {
    const what = `delete ${name}`;
    checkObjectName(name);
    await this.#place.enter(what, { signal });
    const key = objectKey(this.#place.root, name);
    const there = this.#settings.store.objects.get(key)?.version;
    if (version !== undefined && there !== version) throw this.#place.conflict(what);
    this.#settings.store.objects.delete(key);
  }
}
