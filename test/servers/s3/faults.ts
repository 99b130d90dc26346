/**
 * Injects faults: the n-th request of an operation fails in a given way.
 *
 * For each kind it is stated whether the request is executed, since a client must find that out itself.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
import { ConnectionGone } from './errors.ts';
import type { LoggedRequest } from './log.ts';
import type { Operation } from './options.ts';

export type FaultKind =
  /** Responds with an error. The request is not executed. */
  | {
      readonly kind: 'error';
      readonly status: number;
      readonly code: string;
      readonly headers?: Record<string, string>;
    }
  /** Responds 200 with an `<Error>` document, as S3 may do. The request is not executed. */
  | { readonly kind: 'error-in-200'; readonly code: string }
  /** A foreign response, as from a login page or a proxy. The request is not executed. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly text: string;
    }
  /** Resets the connection after this many bytes of the request's body. The request is not executed. */
  | { readonly kind: 'cut-request'; readonly afterBytes: number }
  /** Stops reading after this many bytes of the request's body. The request is not executed. */
  | { readonly kind: 'stall-request'; readonly afterBytes: number }
  /** Executes the request, and resets the connection after this many bytes of the response's body. */
  | { readonly kind: 'cut-response'; readonly afterBytes: number }
  /** Executes the request, and stops sending after this many bytes of the response's body. */
  | { readonly kind: 'stall-response'; readonly afterBytes: number }
  /** Executes the request, and resets the connection before the first byte of the response. */
  | { readonly kind: 'lose-answer' }
  /** Executes the request, and holds the response until `release()`. */
  | { readonly kind: 'hold-answer' }
  /** Holds the request until `release()`. */
  | { readonly kind: 'hold-request' }
  /** Limits the speed of bodies in both directions. */
  | { readonly kind: 'throttle'; readonly bytesPerSecond: number };

export interface FaultOptions {
  /** Requests that the fault applies to. Default: all. */
  readonly on?: Operation | ((request: LoggedRequest) => boolean) | undefined;
  /** Number of requests to let pass first. Default 0. */
  readonly after?: number | undefined;
  /** Number of requests to fail. Default 1. */
  readonly times?: number | undefined;
}

export interface Fault {
  /** Number of requests that have failed so far. */
  readonly hits: number;
  /** Resolves when the fault first acts: at the byte, not at the start of the request. */
  readonly acted: Promise<void>;
  /** Lets held requests continue. */
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

  /** The first fault that applies to this request. */
  pick(request: LoggedRequest, response: ServerResponse): ActiveFault | undefined {
    for (const rule of this.#rules) {
      if (rule.appliesTo(request)) return new ActiveFault(rule, response);
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

  appliesTo(request: LoggedRequest): boolean {
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

/** A fault that applies to one request. */
export class ActiveFault {
  readonly kind: FaultKind;
  readonly #rule: Rule;
  readonly #response: ServerResponse;

  constructor(rule: Rule, response: ServerResponse) {
    this.kind = rule.kind;
    this.#rule = rule;
    this.#response = response;
  }

  /** Resolves `acted`. */
  act(): void {
    this.#rule.act();
  }

  /** Acts, and waits until it is released or the client disconnects. */
  async hold(): Promise<void> {
    this.act();
    await Promise.race([this.#rule.released, this.#closed()]);
    if (this.#response.destroyed) throw new ConnectionGone('the client went away while held');
  }

  /** Number of the next `sizeBytes` bytes, at `offset` of the body, that pass before the fault acts. */
  passes(direction: 'request' | 'response', offset: number, sizeBytes: number): number {
    const { kind } = this;
    const isMeant = kind.kind === `cut-${direction}` || kind.kind === `stall-${direction}`;
    if (!isMeant || !('afterBytes' in kind)) return sizeBytes;
    return Math.min(sizeBytes, Math.max(kind.afterBytes - offset, 0));
  }

  /** Acts after the last byte that passes. Never returns. */
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
