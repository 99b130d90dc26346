/** Objects of one bucket, in memory. Every change is one synchronous step. */

import { createHash } from 'node:crypto';

export interface StoredObject {
  readonly bytes: Buffer;
  readonly generation: string;
  readonly timeCreated: Date;
  /** Base64, as in Google's API. */
  readonly md5Hash: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Metadata from the client for an object that it writes. */
export interface Resource {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly md5Hash?: string;
}

export class Store {
  readonly #objects = new Map<string, StoredObject>();
  #sorted: string[] | undefined;
  #generation = Date.now() * 1_000;

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  put(key: string, bytes: Buffer, { metadata = {} }: Resource): StoredObject {
    this.#generation += 1;
    const object = {
      bytes,
      generation: String(this.#generation),
      timeCreated: new Date(),
      md5Hash: createHash('md5').update(bytes).digest('base64'),
      metadata,
    };
    if (!this.#objects.has(key)) this.#sorted = undefined;
    this.#objects.set(key, object);
    return object;
  }

  delete(key: string): boolean {
    this.#sorted = undefined;
    return this.#objects.delete(key);
  }

  /** All keys in byte order. */
  keys(): readonly string[] {
    this.#sorted ??= [...this.#objects.keys()].sort((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    );
    return this.#sorted;
  }
}

/** JSON resource of an object. */
export function toResource(key: string, object: StoredObject): Record<string, unknown> {
  return {
    kind: 'storage#object',
    name: key,
    size: String(object.bytes.byteLength),
    generation: object.generation,
    timeCreated: object.timeCreated.toISOString(),
    updated: object.timeCreated.toISOString(),
    md5Hash: object.md5Hash,
    metadata: object.metadata,
  };
}
