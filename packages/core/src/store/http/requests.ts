/**
 * The pending requests of a client. An aborted call returns soon. The client tracks its unfinished request
 * and the clean-up until it has closed.
 *
 * Each request waits for one of the client's sockets (sockets.ts). So a call must not keep one request open
 * while it waits for another.
 */

import { setMaxListeners } from 'node:events';
import type { Readable } from 'node:stream';

import { isError, ReplicationError } from '../../error.ts';
import { onAbort } from '../abort.ts';
import { CLOSE_MS_MAX } from '../client.ts';
import { Sockets, type Hold } from './sockets.ts';

/** The rest of CLOSE_MS_MAX is for closing the sockets. */
const CLEAN_UP_MS_MAX = CLOSE_MS_MAX - 1_500;

/**
 * The effect of an abort on a pending request:
 *   cut     drop the connection at once: for reads
 *   settle  wait up to SETTLE_MS_MAX for the response, then drop the connection: for writes. A server that
 *           has received the whole request commits it anyway; so the object has its final content when
 *           the call returns
 */
export type WhenAborted = 'cut' | 'settle';

/** An aborted call rejects within a second. */
const SETTLE_MS_MAX = 700;

/** A call of a client. It may need several requests. */
export interface Call {
  /** The operation and the object: the beginning of messages. */
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

/** Options of one request. */
export interface RequestOptions {
  readonly signals: readonly (AbortSignal | undefined)[];
  readonly whenAborted: WhenAborted;
  /** Converts an error of the vendor's SDK. */
  readonly toError: (error: unknown) => ReplicationError;
}

/** The running requests of one client. Closing waits for them, or aborts them. */
export class Requests {
  readonly #name: string;
  readonly #sockets = new Sockets();
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #ended = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(name: string) {
    this.#name = name;
    setMaxListeners(0, this.#closing.signal, this.#ended.signal); // a few for each request
  }

  /** Aborts when the client begins to close. Calls end. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Aborts when the client has closed. Nothing is sent afterwards, not even clean-up. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Throws the signal's reason or REPLICA_CLOSED. Call it between any two steps. */
  check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
  }

  /** Tracks work until it has ended. The caller handles its errors. */
  keep<T>(work: Promise<T>): Promise<T> {
    const forget = (): void => {
      this.#running.delete(ended);
    };
    const ended: Promise<void> = work.then(forget, forget);
    this.#running.add(ended);
    return work;
  }

  /**
   * Runs one request, ends it on an abort, and converts its errors. `send` receives the signal that drops
   * the connection. The socket is free when `send` settles, so it must read the whole response. Rethrows
   * the reason of an abort unchanged.
   */
  async request<Result>(
    options: RequestOptions,
    send: (cut: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const hold = await this.#take(options);
    return await this.#send(hold, options, (cut) => heldWhile(hold, () => send(cut)));
  }

  /** Like `request`, for a response with a stream. The stream keeps its socket until it is closed. */
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
        // The connection may be lost before the first read, which then throws the error.
        opened.on('error', () => undefined);
        if (isOver) end(); // the caller is gone
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

  /** A request that outlives its call: only the end of the client aborts it. */
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
    // Do not wait for the SDK: some ignore the signal while they look for credentials.
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

  /** Waits until nothing is running. A request that ends may start a clean-up. */
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
