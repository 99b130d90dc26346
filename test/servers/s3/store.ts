/**
 * Buckets, objects and multipart uploads, in memory.
 *
 * A body is kept as the list of received chunks, so that large objects are never copied into one buffer.
 * Every change is one synchronous step, so readers never see a partial change.
 */

import { createHash, randomBytes } from 'node:crypto';
import { S3Error } from './errors.ts';

export interface Body {
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
  /** MD5, hex. */
  readonly md5: string;
}

export interface StoredObject extends Body {
  /** With quotes, as in the header. */
  readonly etag: string;
  readonly modifiedAt: Date;
  /** x-amz-meta-* and the other headers that reads return. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly initiatedAt: Date;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, Body & { readonly modifiedAt: Date }>;
}

export class Bucket {
  readonly name: string;
  readonly uploads: Map<string, Upload> = new Map();
  readonly #objects: Map<string, StoredObject> = new Map();
  /** All keys, in the order of their UTF-8 bytes. */
  readonly #keys: string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  set(key: string, object: StoredObject): void {
    if (!this.#objects.has(key)) this.#keys.splice(this.indexAtOrAfter(key), 0, key);
    this.#objects.set(key, object);
  }

  delete(key: string): boolean {
    if (!this.#objects.delete(key)) return false;
    this.#keys.splice(this.indexAtOrAfter(key), 1);
    return true;
  }

  keys(): readonly string[] {
    return this.#keys;
  }

  /** Index in `keys()` of the first key at or after `key`. */
  indexAtOrAfter(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareUTF8(this.#keys[middle] ?? '', key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  createUpload(key: string, headers: Record<string, string>, initiatedAt: Date): Upload {
    const id = randomBytes(16).toString('hex');
    const upload: Upload = { id, key, headers, initiatedAt, parts: new Map() };
    this.uploads.set(id, upload);
    return upload;
  }

  upload(id: string, key: string): Upload {
    const upload = this.uploads.get(id);
    if (upload?.key !== key) throw new S3Error('NoSuchUpload', 'The upload does not exist.');
    return upload;
  }
}

/** Joins parts into an object, in this order. */
export function joinParts(parts: readonly Body[]): Body & { readonly etag: string } {
  const md5 = createHash('md5');
  for (const part of parts) md5.update(Buffer.from(part.md5, 'hex'));
  const hex = md5.digest('hex');
  return {
    chunks: parts.flatMap((part) => part.chunks),
    sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0),
    md5: hex,
    etag: `"${hex}-${parts.length}"`,
  };
}

/** Bytes `start` up to but not `end` of a body, as views of its chunks. */
export function* slice(body: Body, start: number, end: number): Generator<Uint8Array> {
  let offset = 0;
  for (const chunk of body.chunks) {
    const from = Math.max(start - offset, 0);
    const to = Math.min(end - offset, chunk.byteLength);
    if (from < to) yield chunk.subarray(from, to);
    offset += chunk.byteLength;
    if (offset >= end) return;
  }
}

/** UTF-16 and UTF-8 order differ only between surrogates and U+E000 to U+FFFF. */
function compareUTF8(a: string, b: string): number {
  if (/[\ud800-\uffff]/.test(a + b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
