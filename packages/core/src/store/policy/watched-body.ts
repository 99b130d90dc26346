/** A body that records errors of its source, so that the source is blamed and not the network. */

import { ReplicationError } from '../../error.ts';
import type { ObjectBody } from '../client.ts';

export class WatchedBody implements ObjectBody {
  readonly sizeBytes: number;
  readonly createdAt?: Date | undefined;
  readonly #body: ObjectBody;
  readonly #what: string;
  readonly #onProgress: (() => void) | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(body: ObjectBody, what: string, onProgress?: () => void) {
    this.sizeBytes = body.sizeBytes;
    this.createdAt = body.createdAt;
    this.#body = body;
    this.#what = what;
    this.#onProgress = onProgress;
  }

  /** The source's error; LTX_TRUNCATED or LTX_INVALID if its size is wrong. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  async *open(): AsyncIterable<Uint8Array> {
    let sizeBytes = 0;
    try {
      for await (const chunk of this.#body.open()) {
        sizeBytes += chunk.byteLength;
        if (sizeBytes > this.sizeBytes) throw this.#wrongSize('LTX_INVALID', 'more than');
        this.#onProgress?.();
        yield chunk;
      }
      if (sizeBytes < this.sizeBytes) throw this.#wrongSize('LTX_TRUNCATED', `${sizeBytes} of`);
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  #wrongSize(code: 'LTX_INVALID' | 'LTX_TRUNCATED', had: string): ReplicationError {
    const sizes = `${had} the expected ${this.sizeBytes} bytes`;
    return new ReplicationError(code, `${this.#what}: the source had ${sizes}`);
  }
}
