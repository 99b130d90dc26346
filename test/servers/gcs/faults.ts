/** Injects faults: the n-th request of an operation fails in a given way. */

import type { Operation } from './exchange.ts';

export type FaultKind =
  /** Responds with an error. The request is not executed. */
  | {
      readonly kind: 'error';
      readonly status: number;
      readonly reason?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** A foreign response, as from a login page or a proxy. The request is not executed. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly text: string;
    }
  /** Responds 200 with this text, as a proxy might. The request is not executed. */
  | { readonly kind: 'page'; readonly text: string }
  /** Resets the connection after this many bytes of the request's body. A session keeps those bytes. */
  | { readonly kind: 'cut-request'; readonly afterBytes: number }
  /** Executes the request, and resets the connection before the first byte of the response. */
  | { readonly kind: 'lose-answer' }
  /** Resets the connection after this many bytes of the response. */
  | { readonly kind: 'cut-response'; readonly afterBytes: number }
  /** Sends no more than this many bytes of the response, and keeps the connection open. */
  | { readonly kind: 'stall-response'; readonly afterBytes: number }
  /** Holds the request until `release()`. */
  | { readonly kind: 'hold-request' }
  /** Executes the request, and holds the response until `release()`. */
  | { readonly kind: 'hold-answer' }
  /** Changes one byte of the request's body. */
  | { readonly kind: 'corrupt' }
  /** Keeps the whole last part, but creates the object only at the next state query. */
  | { readonly kind: 'not-yet' }
  /** The session keeps only this many bytes of a part. */
  | { readonly kind: 'keep-less'; readonly bytes: number };

export interface FaultOptions {
  readonly on?: Operation | undefined;
  /** Number of requests to let pass first. Default 0. */
  readonly after?: number | undefined;
  /** Number of requests to fail. Default 1. */
  readonly times?: number | undefined;
}

export interface Fault {
  readonly kind: FaultKind;
  readonly hits: number;
  /** Resolves when the fault first acts. */
  readonly acted: Promise<void>;
  readonly released: Promise<void>;
  release(): void;
  act(): void;
}

export class Faults {
  readonly #rules: { fault: Fault & { hits: number }; options: FaultOptions; seen: number }[] = [];

  add(kind: FaultKind, options: FaultOptions = {}): Fault {
    const acted = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const fault = {
      kind,
      hits: 0,
      acted: acted.promise,
      released: released.promise,
      release: released.resolve,
      act: acted.resolve,
    };
    this.#rules.push({ fault, options, seen: 0 });
    return fault;
  }

  /** The first fault that applies to this request. */
  pick(operation: Operation): Fault | undefined {
    for (const rule of this.#rules) {
      const { on, after = 0, times = 1 } = rule.options;
      if (on !== undefined && on !== operation) continue;
      rule.seen += 1;
      if (rule.seen <= after || rule.fault.hits >= times) continue;
      rule.fault.hits += 1;
      return rule.fault;
    }
    return undefined;
  }
}
