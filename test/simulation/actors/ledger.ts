/**
 * All states of the database that were ever committed, by the hash of their pages. A restore is right
 * only if it is one of them, and not one that is too old.
 */

import { createHash } from 'node:crypto';

export interface State {
  /** Number of the state, from 1. */
  readonly index: number;
  /** When it was committed, by the virtual clock. */
  readonly at: number;
}

export class Ledger {
  readonly #states: State[] = [];
  /** The newest state with these pages. */
  readonly #byHash = new Map<string, State>();
  #newestHash = '';

  /** The newest state. */
  get newest(): State | undefined {
    return this.#states.at(-1);
  }

  /** Call after each commit, with all pages as a new transaction reads them. Returns its number. */
  add(pages: Uint8Array, at: number): number {
    const hash = hashOf(pages);
    if (hash === this.#newestHash) return this.#states.length;
    this.#newestHash = hash;
    const state = { index: this.#states.length + 1, at };
    this.#states.push(state);
    this.#byHash.set(hash, state);
    return state.index;
  }

  find(hash: string): State | undefined {
    return this.#byHash.get(hash);
  }

  /** Number of the newest state that was committed at or before `at`; 0 if there is none. */
  indexAt(at: number): number {
    return this.#states.findLast((state) => state.at <= at)?.index ?? 0;
  }
}

export function hashOf(pages: Uint8Array): string {
  return createHash('sha256').update(pages).digest('hex');
}
