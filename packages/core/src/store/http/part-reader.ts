/** Reads a body in parts of the same size, each in memory. The last part may be smaller. */

import { ReplicationError } from '../../error.ts';
import { untilAborted } from '../abort.ts';
import type { ObjectBody } from '../client.ts';

const MIB = 1024 * 1024;

/** The configured size, or the smallest number of MiB that keeps the number of parts within `partsMax`. */
export function partSizeFor(sizeBytes: number, configuredBytes: number, partsMax: number): number {
  const least = Math.ceil(sizeBytes / partsMax);
  return least <= configuredBytes ? configuredBytes : Math.ceil(least / MIB) * MIB;
}

/** Opens a body. Reading ends as soon as a signal aborts, even if the source hangs. */
export function openParts(
  body: Pick<ObjectBody, 'sizeBytes' | 'open'>,
  what: string,
  ...signals: readonly (AbortSignal | undefined)[]
): PartReader {
  return new PartReader(untilAborted(body.open(), ...signals), body.sizeBytes, what);
}

/** Reads a body in parts. LTX_TRUNCATED if it has fewer bytes than declared, LTX_INVALID if it has more. */
export class PartReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #sizeBytes: number;
  readonly #what: string;
  #rest: Uint8Array = new Uint8Array(0);
  #readBytes = 0;

  /** `source` is the opened body; `sizeBytes` is its declared size. */
  constructor(source: AsyncIterable<Uint8Array>, sizeBytes: ObjectBody['sizeBytes'], what: string) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#sizeBytes = sizeBytes;
    this.#what = what;
  }

  /**
   * The next bytes, up to `partBytes`: a view of `memory`, if given. The last part is returned only
   * after the source has ended.
   */
  async next(partBytes: number, memory?: Uint8Array): Promise<Uint8Array> {
    const wanted = Math.min(partBytes, this.#sizeBytes - this.#readBytes);
    const part = memory?.subarray(0, wanted) ?? Buffer.allocUnsafeSlow(wanted);
    let length = 0;
    while (length < wanted) {
      if (!(await this.#fill())) throw this.#wrongSize('fewer');
      const chunk = this.#rest.subarray(0, wanted - length);
      part.set(chunk, length);
      length += chunk.byteLength;
      this.#rest = this.#rest.subarray(chunk.byteLength);
    }
    this.#readBytes += length;
    if (this.#readBytes === this.#sizeBytes && (await this.#fill())) throw this.#wrongSize('more');
    return part;
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  /** Returns false at the end. */
  async #fill(): Promise<boolean> {
    while (this.#rest.byteLength === 0) {
      const { done, value } = await this.#iterator.next();
      if (done === true) return false;
      this.#rest = value;
    }
    return true;
  }

  #wrongSize(than: 'fewer' | 'more'): ReplicationError {
    return new ReplicationError(
      than === 'fewer' ? 'LTX_TRUNCATED' : 'LTX_INVALID',
      `${this.#what}: the source has ${than} than the expected ${this.#sizeBytes} bytes`,
    );
  }
}
