/**
 * Bytes of probe files: of any size, no two files alike anywhere, none of them held in memory. Byte
 * `o` of the file with `seed` is the noise at `o`, turned by a number of the seed and of its chunk.
 */

import type { LTXBody } from './client.ts';

/** Noise is so long; it does not compress, so that what is measured is what was sent. */
export const NOISE_BYTES = 1_048_576;

export interface ProbeFile {
  readonly seed: number;
  readonly sizeBytes: number;
}

export class ProbeBytes {
  readonly #noise: Uint8Array;
  readonly #createdAt: Date;

  constructor(noise: Uint8Array, createdAt: Date) {
    this.#noise = noise;
    this.#createdAt = createdAt;
  }

  body(file: ProbeFile): LTXBody {
    return {
      sizeBytes: file.sizeBytes,
      createdAt: this.#createdAt,
      open: () => this.#read(file),
    };
  }

  async *#read({ seed, sizeBytes }: ProbeFile): AsyncGenerator<Uint8Array, void, undefined> {
    for (let start = 0; start < sizeBytes; start += NOISE_BYTES) {
      const turn = turnOf(seed, start);
      const length = Math.min(NOISE_BYTES, sizeBytes - start);
      yield this.#noise.subarray(0, length).map((byte) => byte ^ turn);
    }
  }

  /** How many bytes of `body` are those of the file from `start` on, before the first that is not. */
  async matching(
    body: AsyncIterable<Uint8Array>,
    { seed }: ProbeFile,
    start: number,
  ): Promise<{ readonly equal: number; readonly came: number }> {
    let came = 0;
    let equal = 0;
    for await (const chunk of body) {
      for (let index = 0; index < chunk.byteLength && equal === came + index; index += 1) {
        const offset = start + came + index;
        const byte = (this.#noise[offset % NOISE_BYTES] ?? 0) ^ turnOf(seed, offset);
        if (chunk[index] === byte) equal += 1;
      }
      came += chunk.byteLength;
    }
    return { equal, came };
  }
}

/** Odd factors: neighbours differ in 256 files and 256 chunks. */
function turnOf(seed: number, offset: number): number {
  return (seed * 37 + Math.floor(offset / NOISE_BYTES) * 101) & 0xff;
}
