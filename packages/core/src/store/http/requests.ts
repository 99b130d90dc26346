/**
 * The requests of a client that are on their way. An aborted call returns soon; a request that it had
 * begun, and its clean-up, belong to the client until it has closed.
 *
 * Each request waits for one of the client's sockets (sockets.ts). So no call may hold one request while
 * it waits for another.
 */

import { setMaxListeners } from 'node:events';
import type { Readable } from 'node:stream';

import { isError, ReplicationError } from '../../error.ts';
import { onAbort } from '../abort.ts';
import { CLOSE_MS_MAX } from '../client.ts';
import { Sockets, type Hold } from './sockets.ts';

/** What is left of CLOSE_MS_MAX is for the sockets. */
const CLEAN_UP_MS_MAX = CLOSE_MS_MAX - 1_500;

/**
 * What an abort does to a request that is on its way:
 *   cut     the connection is dropped at once: a read
 *   settle  it may end by itself for SETTLE_MS_MAX before it is cut: a write. A server that has all
 *           of it commits it whether we listen or not; so the name has settled when the call returns
 */
export type WhenAborted = 'cut' | 'settle';

/** An aborted call rejects within a second. */
const SETTLE_MS_MAX = 700;

/** A call of a client, which may take several requests. */
export interface Call {
  /** What is done to what: messages begin with it. */
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

export interface RequestOptions {
  readonly signals: readonly (AbortSignal | undefined)[];
  readonly whenAborted: WhenAborted;
  /** Gives what the vendor throws a code. */
  readonly toError: (error: unknown) => ReplicationError;
}

export class Requests {
  readonly #name: string;
  readonly #sockets = new Sockets();
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #ended = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(name: string) {
    this.#name = name;
    setMaxListeners(0, this.#closing.signal, this.#ended.signal); // some for each request
  }

  /** Aborts when the client begins to close: calls end. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Aborts when it has closed: nothing is sent any more, no clean-up either. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Throws the signal's reason, or REPLICA_CLOSED. To be called between any two steps. */
  check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
  }

  /** Remembers work until it has ended, however it ends: who waits for it knows of its error. */
  keep<T>(work: Promise<T>): Promise<T> {
    const forget = (): void => {
      this.#running.delete(ended);
    };
    const ended: Promise<void> = work.then(forget, forget);
    this.#running.add(ended);
    return work;
  }

  /**
   * One request: how it ends when it is not wanted any more, and what its errors mean. `send` is
   * given the signal that cuts the connection; its socket is free when it settles, so it reads the
   * answer to the end. Rethrows an abort's reason untouched.
   */
  async request<Result>(
    options: RequestOptions,
    send: (cut: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const hold = await this.#take(options);
    return await this.#send(hold, options, (cut) => heldWhile(hold, () => send(cut)));
  }

  /** The same, of which a stream is left to be read. It keeps its socket until it is closed. */
  async open<Answer extends { readonly stream: Readable }>(
    options: RequestOptions,
    send: (cut: AbortSignal) => Promise<Answer>,
  ): Promise<Answer & { readonly hold: Hold }> {
    const hold = await this.#take(options);
    let isOver = false;
    let opened: Readable | undefined;
    const end = (): void => {
      isOver = true;
      if (opened === undefined) return;
      opened.destroy();
      hold.release();
    };
    const open = async (cut: AbortSignal): Promise<Answer> => {
      try {
        const answer = await send(cut);
        opened = answer.stream.once('close', () => hold.release());
        // A connection may be lost before anybody reads: the reader is told when it begins.
        opened.on('error', () => undefined);
        if (isOver) end(); // nobody hears of it any more
        return answer;
      } catch (error) {
        hold.release();
        throw error;
      }
    };
    try {
      return { ...(await this.#send(hold, options, open)), hold };
    } catch (error) {
      end();
      throw error;
    }
  }

  /** A request that outlives its call: only the end of the client cuts it. */
  async cleanUp<Result>(send: (ended: AbortSignal) => Promise<Result>): Promise<Result> {
    const hold = await this.#sockets.take([this.ended]);
    return await heldWhile(hold, () => send(this.ended));
  }

  async #take({ signals }: RequestOptions): Promise<Hold> {
    return await this.#sockets.take([...signals, this.closing]);
  }

  async #send<Result>(
    hold: Hold,
    { signals: given, whenAborted, toError }: RequestOptions,
    send: (cut: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const signals = [...given, this.closing];
    for (const signal of signals) {
      if (signal?.aborted !== true) continue;
      hold.release();
      throw signal.reason;
    }
    const connection = new AbortController();
    const { promise: over, reject } = Promise.withResolvers<never>();
    let timer: NodeJS.Timeout | undefined;
    let reason: Error | undefined;
    // Not every SDK heeds the signal while it looks for credentials: nobody waits for it then.
    const cut = (): void => {
      connection.abort();
      reject(reason);
    };
    const stop = onAbort(signals, (abortedWith) => {
      reason ??= abortedWith;
      if (whenAborted === 'cut') cut();
      else timer ??= setTimeout(cut, SETTLE_MS_MAX);
    });
    try {
      const result = await Promise.race([this.keep(send(connection.signal)), over]);
      if (reason !== undefined) throw reason;
      return result;
    } catch (error) {
      throw reason ?? (isError(error) ? error : toError(error));
    } finally {
      clearTimeout(timer);
      stop();
    }
  }

  /** Ends the calls in flight and waits for their clean-up. Safe to call twice. */
  async close(): Promise<void> {
    await (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    const reason = new ReplicationError('REPLICA_CLOSED', `${this.#name} was closed`);
    this.#closing.abort(reason);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLEAN_UP_MS_MAX);
    await Promise.race([this.#idle(), late]);
    clearTimeout(timer);
    this.#ended.abort(reason);
  }

  /** What ends may leave something to clean up. */
  async #idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }
}

async function heldWhile<Result>(hold: Hold, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } finally {
    hold.release();
  }
}
