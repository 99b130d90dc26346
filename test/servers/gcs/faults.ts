/** Faults that can be switched on: the n-th request of a kind fails in a chosen way. */

import type { Operation } from './exchange.ts';

export type FaultKind =
  /** An error is answered, nothing is done. */
  | {
      readonly kind: 'error';
      readonly status: number;
      readonly reason?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Somebody else answers: a login page, a proxy. Nothing is done. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly text: string;
    }
  /** 200 with this text, as a proxy in between may say. Nothing is done. */
  | { readonly kind: 'page'; readonly text: string }
  /** The connection is reset after so many bytes of the request's body; a session keeps those. */
  | { readonly kind: 'cut-request'; readonly afterBytes: number }
  /** All is done, the connection is reset before the first byte of the answer. */
  | { readonly kind: 'lose-answer' }
  /** The connection is reset after so many bytes of the answer. */
  | { readonly kind: 'cut-response'; readonly afterBytes: number }
  /** No byte comes any more after so many of the answer; the connection stays. */
  | { readonly kind: 'stall-response'; readonly afterBytes: number }
  /** Nothing is done until `release()`. */
  | { readonly kind: 'hold-request' }
  /** All is done, the answer waits until `release()`. */
  | { readonly kind: 'hold-answer' }
  /** A byte of the request's body arrives as another. */
  | { readonly kind: 'spoil' }
  /** All of the last part is kept; the object is there when the session is asked again. */
  | { readonly kind: 'not-yet' }
  /** Of a part, a session keeps so many bytes and forgets the rest. */
  | { readonly kind: 'keep-less'; readonly bytes: number };

export interface FaultOptions {
  readonly on?: Operation | undefined;
  /** So many of them pass first. Default 0. */
  readonly after?: number | undefined;
  /** So many of them are hit. Default 1. */
  readonly times?: number | undefined;
}

export interface Fault {
  readonly kind: FaultKind;
  readonly hits: number;
  /** Resolves when it acts for the first time. */
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

  /** The first fault that wants this request. */
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
