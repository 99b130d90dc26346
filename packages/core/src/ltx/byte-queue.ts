/** Bytes that came in chunks and are read in other portions. Copies only where a portion spans chunks. */

export class ByteQueue {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** Up to `most` bytes from the front, which stay. */
  peek(most: number): Uint8Array {
    const wanted = Math.min(most, this.#length);
    const first = this.#chunks[0];
    if (first === undefined) return new Uint8Array(0);
    if (first.length >= wanted) return first.subarray(0, wanted);
    const joined = new Uint8Array(wanted);
    let at = 0;
    for (const chunk of this.#chunks) {
      const part = chunk.subarray(0, wanted - at);
      joined.set(part, at);
      at += part.length;
      if (at === wanted) break;
    }
    return joined;
  }

  skip(count: number): void {
    let rest = count;
    while (rest > 0) {
      const first = this.#chunks[0];
      if (first === undefined) throw new RangeError('skipped more bytes than there are');
      if (first.length <= rest) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(rest);
      const gone = Math.min(first.length, rest);
      rest -= gone;
      this.#length -= gone;
    }
  }

  take(count: number): Uint8Array {
    const bytes = this.peek(count);
    this.skip(bytes.length);
    return bytes;
  }
}
