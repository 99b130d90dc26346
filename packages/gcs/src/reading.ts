/** Opens one object, whole or a range of it. */

import {
  isError,
  rangeHeader,
  sizeOfContentRange,
  versionChanged,
  type KeyedOpening,
  type OpenedObject,
} from '@sluice/core/backend';
import type { Answer, Bucket, Call } from './bucket.ts';
import { thrownToError } from './errors.ts';
import type { Hold } from './sockets.ts';

/** REPLICA_CHANGED when another version is there than the one that was asked for. */
export async function openObject(
  bucket: Bucket,
  key: string,
  opening: KeyedOpening,
): Promise<OpenedObject> {
  const answer = await get(bucket, key, opening);
  const { headers } = answer;
  const version = headers.get('x-goog-generation') ?? '';
  const sizeBytes =
    sizeOfContentRange(headers.get('content-range')) ?? Number(headers.get('content-length') ?? 0);
  const { start = 0, end = sizeBytes } = opening.range ?? {};
  const source = { bucket, key, opening: { ...opening, version } };
  return {
    sizeBytes,
    modifiedAt: new Date(headers.get('last-modified') ?? 0),
    version,
    body: new Body(source, answer, start, Math.min(end, sizeBytes)).bytes(),
  };
}

async function get(
  bucket: Bucket,
  key: string,
  { what, signal, range, version }: KeyedOpening,
): Promise<Answer> {
  const call: Call = {
    url: bucket.pathOf(key),
    params: { alt: 'media', ifGenerationMatch: version },
    headers: {
      'accept-encoding': 'identity',
      ...(range !== undefined && { range: rangeHeader(range) }),
    },
    what,
    signal,
  };
  const status = range === undefined ? 200 : 206;
  const answer = await bucket.open(call, status).catch((error: unknown) => {
    if (!isError(error, 'REPLICA_CONFLICT')) throw error;
    throw versionChanged(what, error);
  });
  const there = answer.headers.get('x-goog-generation') ?? '';
  if (version === undefined || there === version) return answer;
  // A server that does not heed the condition.
  answer.body.destroy();
  answer.hold.release();
  throw versionChanged(what);
}

interface Source {
  readonly bucket: Bucket;
  readonly key: string;
  readonly opening: KeyedOpening;
}

/** The bytes of one version, over one connection after another if it is parked in between. */
class Body {
  readonly #source: Source;
  readonly #signals: readonly (AbortSignal | undefined)[];
  readonly #end: number;
  #offset: number;
  #connection: { readonly hold: Hold; readonly chunks: AsyncIterator<Uint8Array> } | undefined;
  #drop = (): void => undefined;

  constructor(source: Source, answer: Answer, start: number, end: number) {
    this.#source = source;
    this.#signals = [source.opening.signal, source.bucket.work.closing];
    this.#offset = start;
    this.#end = end;
    this.#connection = this.#adopt(answer);
  }

  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        this.#check(); // what had come before an abort is not wanted either
        if (this.#connection === undefined && this.#offset >= this.#end) return;
        this.#connection ??= this.#adopt(await this.#reopen());
        const { hold, chunks } = this.#connection;
        hold.busy();
        const { done, value } = await chunks.next();
        this.#check(); // a stream that was destroyed may end as if it had been read
        if (done === true) return;
        this.#offset += value.byteLength;
        hold.idle(this.#drop);
        yield value;
      }
    } catch (error) {
      this.#check();
      throw thrownToError(error, this.#source.opening.what);
    } finally {
      this.#drop();
    }
  }

  #adopt({ body, hold }: Answer): { hold: Hold; chunks: AsyncIterator<Uint8Array> } {
    const drop = (): void => {
      body.destroy();
      hold.release();
      this.#connection = undefined;
    };
    for (const signal of this.#signals) signal?.addEventListener('abort', drop, { once: true });
    body.once('close', () => {
      hold.release();
      for (const signal of this.#signals) signal?.removeEventListener('abort', drop);
    });
    // A connection may be lost before anybody reads: the reader is told when it begins.
    body.on('error', () => undefined);
    this.#drop = drop;
    hold.idle(drop);
    return { hold, chunks: (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]() };
  }

  async #reopen(): Promise<Answer> {
    const { bucket, key, opening } = this.#source;
    const range = { start: this.#offset, end: this.#end };
    return await get(bucket, key, { ...opening, range });
  }

  #check(): void {
    this.#source.bucket.work.check(this.#source.opening.signal);
  }
}
