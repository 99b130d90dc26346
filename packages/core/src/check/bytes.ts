/**
 * Bytes of probe files: of any size, different for every file and chunk, and generated on the fly. Each
 * byte is the noise at its offset, XORed with a number that depends on the seed and the chunk.
 */

import type { ObjectBody } from '../store/client.ts';

/** Length of the noise. It does not compress, so that the measured speed is that of the link. */
export const NOISE_BYTES = 1_048_576;

export interface ProbeFile {
  readonly seed: number;
  readonly sizeBytes: number;
}

export class ProbeBytes {
  /** Four bytes at a time: single bytes would be slower than a fast link. */
  readonly #noise: Uint32Array;
  readonly #createdAt: Date;
  readonly #onBytes: (count: number) => void;

  /** `onBytes` is called with the number of bytes as they are sent and received. */
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

  /** Like `body`, but calls `onPast` when more than `sizeBytes` have been requested. */
  bodyPast(file: ProbeFile, sizeBytes: number, onPast: () => void): ObjectBody {
    const body = this.body(file);
    return { ...body, open: () => withCallbackPast(body.open(), sizeBytes, onPast) };
  }

  async *#read({ seed, sizeBytes }: ProbeFile): AsyncGenerator<Uint8Array, void, undefined> {
    for (let start = 0; start < sizeBytes; start += NOISE_BYTES) {
      const chunk = this.#chunkAt(seed, start).subarray(0, sizeBytes - start);
      yield chunk;
      this.#onBytes(chunk.byteLength);
    }
  }

  /** Compares `body` with the file from `start`: the number of equal bytes before the first difference. */
  async matching(
    body: AsyncIterable<Uint8Array>,
    { seed }: ProbeFile,
    start: number,
  ): Promise<{ readonly equal: number; readonly received: number }> {
    let received = 0;
    let equal = 0;
    let expected: { readonly at: number; readonly bytes: Uint8Array } | undefined;
    for await (const chunk of body) {
      this.#onBytes(chunk.byteLength);
      for (let done = 0; done < chunk.byteLength;) {
        const offset = start + received;
        const at = offset - (offset % NOISE_BYTES);
        if (expected?.at !== at) expected = { at, bytes: this.#chunkAt(seed, at) };
        const theirs = chunk.subarray(done, done + at + NOISE_BYTES - offset);
        const ours = expected.bytes.subarray(offset - at, offset - at + theirs.byteLength);
        if (equal === received) equal += equalBytes(ours, theirs);
        received += theirs.byteLength;
        done += theirs.byteLength;
      }
    }
    return { equal, received };
  }

  /** The whole chunk that begins at `offset`, a multiple of its size. */
  #chunkAt(seed: number, offset: number): Uint8Array {
    const mask = maskOf(seed, offset) * 0x01_01_01_01;
    const words = new Uint32Array(this.#noise.length);
    for (let index = 0; index < words.length; index += 1) {
      words[index] = (this.#noise[index] ?? 0) ^ mask;
    }
    return new Uint8Array(words.buffer);
  }
}

async function* withCallbackPast(
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

/** The number of equal bytes before the first difference. */
function equalBytes(ours: Uint8Array, theirs: Uint8Array): number {
  if (Buffer.compare(ours, theirs) === 0) return ours.byteLength;
  return ours.findIndex((byte, index) => byte !== theirs[index]);
}

/** Odd factors: different for 256 consecutive files and 256 consecutive chunks. */
function maskOf(seed: number, offset: number): number {
  return (seed * 37 + Math.floor(offset / NOISE_BYTES) * 101) & 0xff;
}
