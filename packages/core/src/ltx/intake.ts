/**
 * Bytes that came in chunks and are read in other portions: what is left of earlier chunks, then the
 * present chunk. Between two chunks only what is left is kept, and it is a copy, so the caller may
 * use a chunk's memory again.
 */

export class Intake {
  #kept: Uint8Array = new Uint8Array(128);
  #keptBytes = 0;
  #chunk: Uint8Array = new Uint8Array(0);

  get length(): number {
    return this.#keptBytes + this.#chunk.length;
  }

  /** The next chunk. What was left of the one before has been kept. */
  give(chunk: Uint8Array): void {
    this.#chunk = chunk;
  }

  /** As many of the first bytes as `scratch` has room for: in the chunk if they lie there, else copied. */
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

  /** All that is there, in one or two parts; nothing is left. */
  drain(): Uint8Array[] {
    const parts = [this.#kept.slice(0, this.#keptBytes), this.#chunk];
    this.#keptBytes = 0;
    this.#chunk = new Uint8Array(0);
    return parts;
  }

  /** The chunk is given back: copies what is left of it. */
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
