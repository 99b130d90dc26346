/** Collects the checksums of the pages of one file while it is encoded. */

import { assert } from '../../error.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { FILE_CHECKSUM_SIZE_BYTES } from '../../ltx/trailer.ts';
import type { ChecksumTable, PageChecksums } from './checksum-table.ts';

/** Called with each batch of pages before it is encoded. `pages` may be a view of the kernel's input. */
export type ObservePages = (pgnos: Uint32Array, pages: Uint8Array) => void;

export class CollectedChecksums {
  readonly #table: ChecksumTable | undefined;
  readonly #kernel: Kernel;
  readonly #pgnos: Uint32Array[] = [];
  readonly #words: Uint32Array[] = [];
  #lastChunk: Uint8Array | undefined;

  /** Without a table nothing is hashed. */
  constructor(table: ChecksumTable | undefined, kernel: Kernel) {
    this.#table = table;
    this.#kernel = kernel;
  }

  readonly observe: ObservePages = (pgnos, pages) => {
    if (this.#table === undefined) return;
    this.#pgnos.push(pgnos.slice());
    this.#words.push(this.#table.hash(this.#kernel, pages).slice());
  };

  /** Call with each chunk of the encoded file. The last one must stay valid. */
  chunk(chunk: Uint8Array): void {
    this.#lastChunk = chunk;
  }

  get pages(): PageChecksums {
    return { pgnos: concat(this.#pgnos), words: concat(this.#words) };
  }

  /** The checksum at the end of the file. */
  get fileChecksum(): bigint {
    const end = this.#lastChunk?.subarray(-FILE_CHECKSUM_SIZE_BYTES);
    assert(end?.length === FILE_CHECKSUM_SIZE_BYTES, 'a file ends with its checksum');
    return new DataView(end.buffer, end.byteOffset, end.length).getBigUint64(0);
  }
}

function concat(parts: readonly Uint32Array[]): Uint32Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const whole = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
