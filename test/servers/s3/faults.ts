/**
 * Faults that can be switched on: the n-th request of a kind fails in a chosen way.
 *
 * What has been committed before the fault is stated for each kind, since that is what a client
 * must find out by itself.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
import { ConnectionGone } from './errors.ts';
import type { LoggedRequest } from './log.ts';
import type { Operation } from './options.ts';

export type FaultKind =
  /** An error is answered, nothing is done. */
  | {
      readonly kind: 'error';
      readonly status: number;
      readonly code: string;
      readonly headers?: Record<string, string>;
    }
  /** 200 and then an `<Error>` document, as S3 does for CopyObject and CompleteMultipartUpload. Nothing is done. */
  | { readonly kind: 'error-in-200'; readonly code: string }
  /** Somebody else answers: a login page, a proxy. Nothing is done. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly text: string;
    }
  /** The connection is reset after so many bytes of the request's body. Nothing is done. */
  | { readonly kind: 'cut-request'; readonly afterBytes: number }
  /** No byte is read any more after so many of the request's body, the connection stays. Nothing is done. */
  | { readonly kind: 'stall-request'; readonly afterBytes: number }
  /** All is done; the connection is reset after so many bytes of the response's body. */
  | { readonly kind: 'cut-response'; readonly afterBytes: number }
  /** All is done; no byte comes any more after so many of the response's body, the connection stays. */
  | { readonly kind: 'stall-response'; readonly afterBytes: number }
  /** All is done, the connection is reset before the first byte of the answer. */
  | { readonly kind: 'lose-answer' }
  /** All is done, the answer waits until `release()`. */
  | { readonly kind: 'hold-answer' }
  /** Nothing is done until `release()`. */
  | { readonly kind: 'hold-request' }
  /** Bodies flow at this speed, both ways. */
  | { readonly kind: 'throttle'; readonly bytesPerSecond: number };

export interface FaultOptions {
  /** Which requests; all of them when absent. */
  readonly on?: Operation | ((request: LoggedRequest) => boolean) | undefined;
  /** So many of them pass first. Default 0. */
  readonly after?: number | undefined;
  /** So many of them are hit. Default 1. */
  readonly times?: number | undefined;
}

export interface Fault {
  /** Requests that it has hit so far. */
  readonly hits: number;
  /** Resolves when it acts for the first time: at the byte, not when the request begins. */
  readonly acted: Promise<void>;
  /** Lets what is held go on. */
  release(): void;
  remove(): void;
}

export class Faults {
  readonly #rules: Set<Rule> = new Set();

  add(kind: FaultKind, options: FaultOptions = {}): Fault {
    const rule = new Rule(kind, options, () => this.#rules.delete(rule));
    this.#rules.add(rule);
    return rule;
  }

  clear(): void {
    for (const rule of this.#rules) rule.release();
    this.#rules.clear();
  }

  /** The first fault that wants this request. */
  pick(request: LoggedRequest, response: ServerResponse): ActiveFault | undefined {
    for (const rule of this.#rules) {
      if (rule.wants(request)) return new ActiveFault(rule, response);
    }
    return undefined;
  }
}

class Rule implements Fault {
  readonly kind: FaultKind;
  readonly acted: Promise<void>;
  readonly released: Promise<void>;
  readonly release: () => void;
  readonly remove: () => void;
  readonly act: () => void;
  readonly #options: FaultOptions;
  #seen: number = 0;
  #hits: number = 0;

  constructor(kind: FaultKind, options: FaultOptions, remove: () => void) {
    this.kind = kind;
    this.#options = options;
    this.remove = remove;
    ({ promise: this.acted, resolve: this.act } = Promise.withResolvers<void>());
    ({ promise: this.released, resolve: this.release } = Promise.withResolvers<void>());
  }

  get hits(): number {
    return this.#hits;
  }

  wants(request: LoggedRequest): boolean {
    const { on, after = 0, times = 1 } = this.#options;
    const isMeant =
      on === undefined || (typeof on === 'function' ? on(request) : on === request.operation);
    if (!isMeant) return false;
    this.#seen++;
    if (this.#seen <= after || this.#hits >= times) return false;
    this.#hits++;
    return true;
  }
}

/** A fault at work on one request. */
export class ActiveFault {
  readonly kind: FaultKind;
  readonly #rule: Rule;
  readonly #response: ServerResponse;

  constructor(rule: Rule, response: ServerResponse) {
    this.kind = rule.kind;
    this.#rule = rule;
    this.#response = response;
  }

  /** Say that the fault acts now. */
  act(): void {
    this.#rule.act();
  }

  /** Acts, and goes on once it is released or the client is gone. */
  async hold(): Promise<void> {
    this.act();
    await Promise.race([this.#rule.released, this.#closed()]);
    if (this.#response.destroyed) throw new ConnectionGone('the client went away while held');
  }

  /** Of the bytes that come now, at `offset` of the body: how many pass before the fault acts. */
  passes(direction: 'request' | 'response', offset: number, sizeBytes: number): number {
    const { kind } = this;
    const isMeant = kind.kind === `cut-${direction}` || kind.kind === `stall-${direction}`;
    if (!isMeant || !('afterBytes' in kind)) return sizeBytes;
    return Math.min(sizeBytes, Math.max(kind.afterBytes - offset, 0));
  }

  /** Called where `passes` said that no more bytes pass. Never returns. */
  async stop(): Promise<never> {
    this.act();
    if (this.kind.kind.startsWith('stall')) await this.#closed();
    this.cut();
  }

  /** Resets the connection. */
  cut(): never {
    this.act();
    this.#response.socket?.resetAndDestroy();
    throw new ConnectionGone('the connection was cut by a fault');
  }

  async throttle(sizeBytes: number): Promise<void> {
    if (this.kind.kind !== 'throttle') return;
    this.act();
    await sleep((sizeBytes / this.kind.bytesPerSecond) * 1000);
  }

  async #closed(): Promise<void> {
    if (this.#response.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#response.once('close', resolve);
    await promise;
  }
}
