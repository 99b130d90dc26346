/** Reads a body in parts of one size, each in memory; the last may be smaller. */

import { ReplicationError, type LTXBody } from '@sluice/core/backend';

export class PartReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #sizeBytes: number;
  readonly #partBytes: number;
  readonly #what: string;
  #rest: Uint8Array = new Uint8Array(0);
  #read = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(body: Pick<LTXBody, 'sizeBytes' | 'open'>, partBytes: number, what: string) {
    this.#iterator = body.open()[Symbol.asyncIterator]();
    this.#sizeBytes = body.sizeBytes;
    this.#partBytes = partBytes;
    this.#what = what;
  }

  /** The next part, or undefined after the last. Calls may overlap: each gets its own part. */
  async next(): Promise<Uint8Array | undefined> {
    const part = this.#turn.then(() => this.#take());
    this.#turn = part.catch(() => undefined); // whoever asked is told
    return await part;
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#iterator.return?.();
  }

  async #take(): Promise<Uint8Array | undefined> {
    const wanted = Math.min(this.#partBytes, this.#sizeBytes - this.#read);
    const part = Buffer.allocUnsafeSlow(wanted);
    let length = 0;
    while (length < wanted) {
      if (this.#rest.length === 0 && !(await this.#refill())) throw this.#wrong('fewer');
      const chunk = this.#rest.subarray(0, wanted - length);
      part.set(chunk, length);
      length += chunk.length;
      this.#rest = this.#rest.subarray(chunk.length);
    }
    this.#read += length;
    if (wanted > 0) {
      if (this.#read === this.#sizeBytes) await this.#expectEnd();
      return part;
    }
    if (this.#sizeBytes === 0) await this.#expectEnd();
    return undefined;
  }

  async #expectEnd(): Promise<void> {
    while (this.#rest.length === 0) if (!(await this.#refill())) return;
    throw this.#wrong('more');
  }

  async #refill(): Promise<boolean> {
    const { done, value } = await this.#iterator.next();
    if (done === true) return false;
    this.#rest = value;
    return true;
  }

  #wrong(than: 'fewer' | 'more'): ReplicationError {
    return new ReplicationError(
      'REPLICA_TRUNCATED',
      `${this.#what}: its source gives ${than} than the ${this.#sizeBytes} bytes that it said`,
    );
  }
}
