/**
 * Bytes of probe files: of any size, no two files alike anywhere, none of them held in memory. Byte
 * `o` of the file with `seed` is the noise at `o`, turned by a number of the seed and of its chunk.
 */

import type { ObjectBody } from '../store/client.ts';

/** Noise is so long; it does not compress, so that what is measured is what was sent. */
export const NOISE_BYTES = 1_048_576;

export interface ProbeFile {
  readonly seed: number;
  readonly sizeBytes: number;
}

export class ProbeBytes {
  /** Four bytes at a time: one by one they would be slower than a fast link. */
  readonly #noise: Uint32Array;
  readonly #createdAt: Date;
  readonly #onBytes: (count: number) => void;

  /** `onBytes` is told of bytes as they are sent, and as they come back. */
  constructor(
    noise: Uint8Array,
    createdAt: Date,
    onBytes: (count: number) => void = () => undefined,
  ) {
    const own = new Uint8Array(NOISE_BYTES);
    own.set(noise);
    this.#noise = new Uint32Array(own.buffer);
    this.#createdAt = createdAt;
    this.#onBytes = onBytes;
  }

  body(file: ProbeFile): ObjectBody {
    return {
      sizeBytes: file.sizeBytes,
      createdAt: this.#createdAt,
      open: () => this.#read(file),
    };
  }

  /** The same, and `onPast` is called once more than `sizeBytes` of it are asked for. */
  bodyPast(file: ProbeFile, sizeBytes: number, onPast: () => void): ObjectBody {
    const body = this.body(file);
    return { ...body, open: () => tellingPast(body.open(), sizeBytes, onPast) };
  }

  async *#read({ seed, sizeBytes }: ProbeFile): AsyncGenerator<Uint8Array, void, undefined> {
    for (let start = 0; start < sizeBytes; start += NOISE_BYTES) {
      const chunk = this.#chunkAt(seed, start).subarray(0, sizeBytes - start);
      yield chunk;
      this.#onBytes(chunk.byteLength);
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
    let expected: { readonly at: number; readonly bytes: Uint8Array } | undefined;
    for await (const chunk of body) {
      this.#onBytes(chunk.byteLength);
      for (let done = 0; done < chunk.byteLength;) {
        const offset = start + came;
        const at = offset - (offset % NOISE_BYTES);
        if (expected?.at !== at) expected = { at, bytes: this.#chunkAt(seed, at) };
        const theirs = chunk.subarray(done, done + at + NOISE_BYTES - offset);
        const ours = expected.bytes.subarray(offset - at, offset - at + theirs.byteLength);
        if (equal === came) equal += equalBytes(ours, theirs);
        came += theirs.byteLength;
        done += theirs.byteLength;
      }
    }
    return { equal, came };
  }

  /** The whole chunk that begins at `offset`, a multiple of its size. */
  #chunkAt(seed: number, offset: number): Uint8Array {
    const turn = turnOf(seed, offset) * 0x01_01_01_01;
    const words = new Uint32Array(this.#noise.length);
    for (let index = 0; index < words.length; index += 1) {
      words[index] = (this.#noise[index] ?? 0) ^ turn;
    }
    return new Uint8Array(words.buffer);
  }
}

async function* tellingPast(
  chunks: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  onPast: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = sizeBytes;
  for await (const chunk of chunks) {
    const before = chunk.subarray(0, left);
    left -= before.byteLength;
    if (before.byteLength > 0) yield before;
    if (before.byteLength === chunk.byteLength) continue;
    onPast();
    yield chunk.subarray(before.byteLength);
  }
}

/** How many bytes are equal before the first that is not. */
function equalBytes(ours: Uint8Array, theirs: Uint8Array): number {
  if (Buffer.compare(ours, theirs) === 0) return ours.byteLength;
  return ours.findIndex((byte, index) => byte !== theirs[index]);
}

/** Odd factors: neighbours differ in 256 files and 256 chunks. */
function turnOf(seed: number, offset: number): number {
  return (seed * 37 + Math.floor(offset / NOISE_BYTES) * 101) & 0xff;
}
