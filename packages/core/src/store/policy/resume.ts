/**
 * A read that survives lost connections: if the stream stalls, fails or ends early, it is reopened at the
 * same offset, and continues only if the version is the same.
 */

import { isError, ReplicationError, type ErrorCode } from '../../error.ts';
import { inTime, linkSignals, type LinkedSignal } from '../abort.ts';
import type { GetOptions, OpenedObject } from '../client.ts';
import { Attempts, type RetryPolicy } from './attempts.ts';
import { discard, endOf, release } from './stream.ts';

type Open = (options: GetOptions) => Promise<OpenedObject>;

/** One attempt: the opened stream and its signal. */
interface Opened {
  readonly stream: OpenedObject;
  readonly link: LinkedSignal;
}

interface Failure {
  readonly error: unknown;
}

/** Opens an object, with retries by the policy. The body reopens it when necessary. */
export async function openResumable(
  open: Open,
  what: string,
  at: GetOptions,
  policy: RetryPolicy,
): Promise<OpenedObject> {
  const reader = new ResumableReader(open, what, at, policy);
  return await reader.start();
}

class ResumableReader {
  readonly #open: Open;
  readonly #what: string;
  readonly #at: GetOptions;
  readonly #policy: RetryPolicy;
  readonly #attempts: Attempts;
  /** Offset of the next byte, and of the end of the requested range. */
  #offset: number;
  #end = 0;

  constructor(open: Open, what: string, at: GetOptions, policy: RetryPolicy) {
    this.#open = open;
    this.#what = what;
    this.#at = at;
    this.#policy = policy;
    this.#attempts = new Attempts(policy, what, at.signal);
    this.#offset = at.range?.start ?? 0;
  }

  async start(): Promise<OpenedObject> {
    const first = await this.#attempt(this.#at);
    this.#end = endOf(this.#at.range, first.stream.sizeBytes);
    return { ...first.stream, body: this.#body(first) };
  }

  async *#body(first: Opened): AsyncGenerator<Uint8Array, void, undefined> {
    let opened = first;
    for (;;) {
      const failure = yield* this.#drain(opened);
      if (failure === undefined) return;
      opened = await this.#reopen(first.stream, failure.error);
    }
  }

  /** Yields the bytes of one stream. Returns its error, if it failed. */
  async *#drain(opened: Opened): AsyncGenerator<Uint8Array, Failure | undefined, undefined> {
    const iterator = opened.stream.body[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#next(iterator);
        if ('error' in next) {
          // A hanging stream ends only when its signal aborts: return() waits for next().
          opened.link.abort(next.error);
          return next;
        }
        if (next.done === true) return this.#offset < this.#end ? this.#endedEarly() : undefined;
        this.#offset += next.value.byteLength;
        if (this.#offset > this.#end) throw this.#tooLong();
        this.#attempts.received(next.value.byteLength);
        yield next.value;
      }
    } finally {
      await release(iterator, this.#policy.clock);
      opened.link.unlink();
    }
  }

  async #next(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array> | Failure> {
    try {
      return await this.#inTime(iterator.next());
    } catch (error) {
      return { error };
    }
  }

  /** The rest of the same object, or the error that ends the read. */
  async #reopen(first: OpenedObject, error: unknown): Promise<Opened> {
    const { sizeBytes, version } = first;
    if (version === undefined) throw error; // the object may have been replaced
    await this.#attempts.afterFailure(error);
    const range = { start: this.#offset, end: this.#end };
    const { stream, link } = await this.#attempt({ ...this.#at, range, version });
    if (stream.version === version && stream.sizeBytes === sizeBytes) return { stream, link };
    link.abort(error);
    link.unlink();
    await discard(stream.body, this.#policy.clock);
    throw this.#error('REPLICA_CHANGED', 'the object was replaced while it was read', error);
  }

  /** Opens the object until it succeeds. Aborts failed attempts. */
  async #attempt(at: GetOptions): Promise<Opened> {
    for (;;) {
      const releaseSlot = await this.#policy.slots.take([at.signal]);
      const link = linkSignals(at.signal);
      const open = async (): Promise<OpenedObject> =>
        await this.#open({ ...at, signal: link.signal });
      const opening = open().finally(releaseSlot);
      try {
        return { stream: await this.#inTime(opening), link };
      } catch (error) {
        link.abort(error);
        link.unlink();
        // A late response still holds a connection.
        opening.then((late) => discard(late.body, this.#policy.clock)).catch(() => undefined);
        // A replaced version does not come back.
        if (at.version !== undefined && isError(error, 'REPLICA_CHANGED')) throw error;
        await this.#attempts.afterFailure(error);
      }
    }
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const { clock, stallMs } = this.#policy;
    const timeoutError = (): Error => this.#attempts.recordSilence();
    return await inTime(work, { clock, ms: stallMs, signal: this.#at.signal, timeoutError });
  }

  #endedEarly(): Failure {
    const where = `the stream ended at byte ${this.#offset}, not at ${this.#end}`;
    return { error: this.#error('REPLICA_TRUNCATED', where) };
  }

  #tooLong(): ReplicationError {
    return this.#error('REPLICA_UNKNOWN', `the stream continued beyond byte ${this.#end}`);
  }

  #error(code: ErrorCode, message: string, cause?: unknown): ReplicationError {
    return new ReplicationError(code, `${this.#what}: ${message}`, { cause });
  }
}
