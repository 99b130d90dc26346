/**
 * All states of the database that were ever committed, by the hash of their pages. A restore is right
 * only if it is one of them, and not one that is too old.
 */

import { hash } from 'node:crypto';

/** In the header of a database. */
const PAGE_SIZE_OFFSET = 16;

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

/** The hash of a database: of the digests of its pages. */
export function hashOf(pages: Uint8Array): string {
  return pages.length < PAGE_SIZE_OFFSET + 2 ? '' : stateHash(pagesOf(pages).map(digestOf));
}

/** The pages of a database. None if it has no header. */
export function pagesOf(database: Uint8Array): Uint8Array[] {
  if (database.length < PAGE_SIZE_OFFSET + 2) return [];
  const size = Buffer.from(database.buffer, database.byteOffset).readUInt16BE(PAGE_SIZE_OFFSET);
  const pageSize = size === 1 ? 65_536 : size;
  const pages: Uint8Array[] = [];
  for (let start = 0; start < database.length; start += pageSize) {
    pages.push(database.subarray(start, start + pageSize));
  }
  return pages;
}

/** The hash of a database, from the digests of its pages. */
export function stateHash(digests: readonly string[]): string {
  return hash('sha1', digests.join());
}

export function digestOf(bytes: Uint8Array): string {
  return hash('sha1', bytes, 'base64');
}
