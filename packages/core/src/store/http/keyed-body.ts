/**
 * The bytes of an opened object. It ends when it is not wanted any more, read or not; while nobody
 * reads it, it may have to leave its socket to others, and goes on over another one (sockets.ts).
 */

import { isError, type ReplicationError } from '../../error.ts';
import type { KeyedOpened } from './keyed-store.ts';
import type { Hold } from './sockets.ts';
import type { Work } from './requests.ts';

type Opened = Pick<KeyedOpened, 'stream' | 'hold'>;

/** Half open. */
interface Bytes {
  readonly start: number;
  readonly end: number;
}

export interface KeyedBodyOptions {
  readonly work: Work;
  readonly signal: AbortSignal | undefined;
  /** What `opened` gives. */
  readonly range: Bytes;
  /** Gives what the stream throws a code. */
  readonly toError: (error: unknown) => ReplicationError;
  /** Opens the same version once more. Undefined: that cannot be, and so it keeps its socket. */
  readonly reopen: ((range: Bytes) => Promise<Opened>) | undefined;
}

interface Connection {
  readonly hold: Hold;
  readonly chunks: AsyncIterator<Uint8Array>;
}

export class KeyedBody {
  readonly #options: KeyedBodyOptions;
  readonly #signals: readonly (AbortSignal | undefined)[];
  #offset: number;
  #connection: Connection | undefined;
  #drop = (): void => undefined;

  constructor(opened: Opened, options: KeyedBodyOptions) {
    this.#options = options;
    this.#signals = [options.signal, options.work.closing];
    this.#offset = options.range.start;
    this.#adopt(opened);
  }

  /** Once. Leaving early frees the connection. */
  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    const { reopen, range, toError } = this.#options;
    try {
      for (;;) {
        this.#check(); // what had come before an abort is not wanted either
        let connection = this.#connection;
        if (connection === undefined) {
          if (reopen === undefined || this.#offset >= range.end) return;
          connection = this.#adopt(await reopen({ start: this.#offset, end: range.end }));
        }
        const { hold, chunks } = connection;
        hold.busy();
        const { done, value } = await chunks.next();
        this.#check(); // a stream that was destroyed may end as if it had been read
        if (done === true) return;
        this.#offset += value.byteLength;
        this.#idle(hold);
        yield value;
      }
    } catch (error) {
      this.#check();
      throw isError(error) ? error : toError(error);
    } finally {
      this.#drop();
    }
  }

  /** An abort or a close frees the connection at once, even where nobody has begun to read. */
  #adopt({ stream, hold }: Opened): Connection {
    const drop = (): void => {
      stream.destroy();
      hold.release();
      this.#connection = undefined;
    };
    for (const signal of this.#signals) signal?.addEventListener('abort', drop, { once: true });
    stream.once('close', () => {
      for (const signal of this.#signals) signal?.removeEventListener('abort', drop);
    });
    const chunks = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    const connection = { hold, chunks };
    this.#connection = connection;
    this.#drop = drop;
    this.#idle(hold);
    if (this.#signals.some((signal) => signal?.aborted === true)) drop();
    return connection;
  }

  #idle(hold: Hold): void {
    if (this.#options.reopen !== undefined) hold.idle(this.#drop);
  }

  #check(): void {
    this.#options.work.check(this.#options.signal);
  }
}
