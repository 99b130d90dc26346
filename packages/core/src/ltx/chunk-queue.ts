/**
 * A queue of bytes that arrive in chunks and are read in other sizes. It references the current
 * chunk and copies unread bytes of earlier chunks, so the caller may reuse a chunk's memory after
 * `keep`.
 */

export class ChunkQueue {
  #kept: Uint8Array = new Uint8Array(128);
  #keptBytes = 0;
  #chunk: Uint8Array = new Uint8Array(0);

  get length(): number {
    return this.#keptBytes + this.#chunk.length;
  }

  /** Adds the next chunk. Unread bytes of the previous one must have been kept. */
  give(chunk: Uint8Array): void {
    this.#chunk = chunk;
  }

  /**
   * The first bytes, at most `scratch.length`: a view of the chunk if possible, else a copy in
   * `scratch`.
   */
  peek(scratch: Uint8Array): Uint8Array {
    if (this.#keptBytes === 0) return this.#chunk.subarray(0, scratch.length);
    const kept = this.#kept.subarray(0, Math.min(this.#keptBytes, scratch.length));
    const fresh = this.#chunk.subarray(0, scratch.length - kept.length);
    scratch.set(kept);
    scratch.set(fresh, kept.length);
    return scratch.subarray(0, kept.length + fresh.length);
  }

  skip(count: number): void {
    const ofKept = Math.min(count, this.#keptBytes);
    this.#kept.copyWithin(0, ofKept, this.#keptBytes);
    this.#keptBytes -= ofKept;
    this.#chunk = this.#chunk.subarray(count - ofKept);
  }

  /** Returns all bytes, in one or two parts, and empties the queue. */
  drain(): Uint8Array[] {
    const parts = [this.#kept.slice(0, this.#keptBytes), this.#chunk];
    this.#keptBytes = 0;
    this.#chunk = new Uint8Array(0);
    return parts;
  }

  /** Copies the unread bytes of the chunk, whose memory the caller may then reuse. */
  keep(): void {
    const length = this.length;
    if (length > this.#kept.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#kept.length));
      larger.set(this.#kept.subarray(0, this.#keptBytes));
      this.#kept = larger;
    }
    this.#kept.set(this.#chunk, this.#keptBytes);
    this.#keptBytes = length;
    this.#chunk = new Uint8Array(0);
  }
}
