/**
 * The state of the database at each TXID, as the staged files of level 0 say it, and whether a file of any
 * level has exactly the pages that its name promises. It knows nothing of plans, merges or retention.
 *
 * A file min..max is exact if and only if
 *  - every page that a transaction of min..max changed is in it, unless it is beyond the new size,
 *  - each of its pages is the one of the state max, and its size and its time are those of max,
 *  - it has all pages if min is 1.
 */

import { createKernel } from '../../../packages/core/src/kernel/kernel.ts';
import { isFullImage, LTXDecoder } from '../../../packages/core/src/ltx/decoder.ts';
import type { LTXHeader } from '../../../packages/core/src/ltx/header.ts';
import { digestOf, pagesOf, stateHash } from './ledger.ts';

/** A name of an LTX file. TXIDs of a simulation are small. */
export interface FileName {
  readonly level: number;
  readonly min: number;
  readonly max: number;
}

const SNAPSHOT_LEVEL = 9;
const KEY = /(?:^|\/)ltx\/(\d)\/([0-9a-f]{16})-([0-9a-f]{16})\.ltx$/;

/** The file that a key or a path names. */
export function fileNameOf(key: string): FileName | undefined {
  const [, level, min, max] = KEY.exec(key) ?? [];
  if (level === undefined) return undefined;
  return { level: Number(level), min: Number(`0x${min}`), max: Number(`0x${max}`) };
}

interface Decoded {
  readonly header: LTXHeader;
  /** Digests by page number. */
  readonly pages: ReadonlyMap<number, string>;
  readonly isFull: boolean;
  /** Digest of page 1 as in a warm copy; undefined if it is not in the file. */
  readonly copiedFirst: string | undefined;
}

/** A staged transaction, or several that were staged as one. */
export class StagedState {
  readonly txid: number;
  /** When it was staged, by the virtual clock. */
  readonly at: number;
  readonly decoded: Decoded;
  readonly #before: () => StagedState | undefined;
  #digests: readonly string[] | undefined;
  #hash: string | undefined;
  #copyHash: string | undefined;
  #parent: StagedState | undefined;

  constructor(txid: number, at: number, decoded: Decoded, before: () => StagedState | undefined) {
    this.txid = txid;
    this.at = at;
    this.decoded = decoded;
    this.#before = before;
    if (!decoded.isFull) this.#parent = before();
  }

  /** Time in its header. */
  get timestampMs(): number {
    return this.decoded.header.timestampMs;
  }

  /** The state before it; undefined if that is unknown. */
  get parent(): StagedState | undefined {
    return (this.#parent ??= this.#before());
  }

  /** Whether another history begins with it: all pages, and a lineage of its own. */
  get isImage(): boolean {
    const { header, isFull } = this.decoded;
    return isFull && this.parent?.decoded.header.nodeID !== header.nodeID;
  }

  /** Digests of all pages; undefined as long as the full snapshot below it is not complete. */
  get digests(): readonly string[] | undefined {
    if (this.#digests !== undefined) return this.#digests;
    const { header, pages, isFull } = this.decoded;
    const before = isFull ? [] : this.parent?.digests;
    if (before === undefined) return undefined;
    const digests = before.slice(0, header.commit);
    for (const [pgno, digest] of pages) digests[pgno - 1] = digest;
    return (this.#digests = digests);
  }

  get hash(): string | undefined {
    const { digests } = this;
    return digests && (this.#hash ??= stateHash(digests));
  }

  /** The hash of a warm copy of this state; see `hashOfCopy`. */
  get copyHash(): string | undefined {
    const { digests, copiedFirst } = this;
    if (digests === undefined || copiedFirst === undefined) return undefined;
    return (this.#copyHash ??= stateHash([copiedFirst, ...digests.slice(1)]));
  }

  get copiedFirst(): string | undefined {
    return this.decoded.copiedFirst ?? this.parent?.copiedFirst;
  }
}

export class Truth {
  readonly #kernel = createKernel();
  /** States by TXID, in the order in which they were staged. A lost TXID may be staged again. */
  readonly #states = new Map<number, StagedState[]>();
  readonly #decoded = new Map<string, Decoded>();
  /** Staged states by the digest of their files. */
  readonly #byFile = new Map<string, StagedState>();
  #newest: StagedState | undefined;

  /** Call after a file of level 0 got its name in the staging folder. */
  staged(txid: number, bytes: Uint8Array, at: number): void {
    const digest = digestOf(bytes);
    const known = this.#byFile.get(digest);
    const state =
      known ?? new StagedState(txid, at, this.#decode(bytes, digest), () => this.latest(txid - 1));
    this.#byFile.set(digest, state);
    const others = (this.#states.get(txid) ?? []).filter((other) => other !== state);
    this.#states.set(txid, [...others, state]);
    if (this.#newest === undefined || txid >= this.#newest.txid) this.#newest = state;
  }

  /** The state that was staged last under this TXID. */
  latest(txid: number): StagedState | undefined {
    return this.#states.get(txid)?.at(-1);
  }

  /** All states that were staged under this TXID. */
  all(txid: number): readonly StagedState[] {
    return this.#states.get(txid) ?? [];
  }

  /** The states whose warm copy has this hash. */
  copiedBy(hash: string): StagedState[] {
    return [...this.#states.values()].flat().filter(({ copyHash }) => copyHash === hash);
  }

  /** The state with the highest TXID. */
  get newest(): StagedState | undefined {
    return this.#newest;
  }

  /**
   * The state after a file that was written to a destination, or why the file is wrong. Undefined if
   * that is not known yet.
   */
  check(file: FileName, bytes: Uint8Array): StagedState | string | undefined {
    const digest = digestOf(bytes);
    let decoded: Decoded;
    try {
      decoded = this.#decode(bytes, digest);
    } catch (error) {
      return `it cannot be read: ${String(error)}`;
    }
    const { header } = decoded;
    if (Number(header.minTXID) !== file.min || Number(header.maxTXID) !== file.max) {
      return `its header has TXID ${header.minTXID} to ${header.maxTXID}`;
    }
    let why: string | undefined;
    for (const state of (this.#states.get(file.max) ?? []).toReversed()) {
      if (state.digests === undefined) continue;
      const wrong = whatIsWrong(file, decoded, state);
      if (wrong === undefined) return state;
      why ??= wrong;
    }
    return why;
  }

  #decode(bytes: Uint8Array, digest: string): Decoded {
    const known = this.#decoded.get(digest);
    if (known !== undefined) return known;
    const decoder = new LTXDecoder(this.#kernel);
    const pages = new Map<number, string>();
    let copiedFirst: string | undefined;
    for (const batch of decoder.push(bytes)) {
      const { pageSize } = decoder.header as LTXHeader;
      batch.pgnos.forEach((pgno, index) => {
        const page = batch.pages.subarray(index * pageSize, (index + 1) * pageSize);
        pages.set(pgno, digestOf(page));
        if (pgno === 1) copiedFirst = digestOf(withoutCopyFields(page));
      });
    }
    decoder.finish();
    const header = decoder.header as LTXHeader;
    const decoded = { header, pages, isFull: isFullImage(header, pages.size), copiedFirst };
    this.#decoded.set(digest, decoded);
    return decoded;
  }
}

/** The hash of a warm copy: of its pages, without the fields of page 1 that a copy has for itself. */
export function hashOfCopy(file: Uint8Array): string {
  const [first, ...others] = pagesOf(file);
  if (first === undefined) return '';
  return stateHash([digestOf(withoutCopyFields(first)), ...others.map(digestOf)]);
}

/** The journal mode, the change counter, the size, and the counter that the size is for. */
const COPY_FIELDS = [
  { start: 18, end: 20 },
  { start: 24, end: 32 },
  { start: 92, end: 96 },
];

function withoutCopyFields(page: Uint8Array): Uint8Array {
  const masked = page.slice();
  for (const { start, end } of COPY_FIELDS) masked.fill(0, start, end);
  return masked;
}

function whatIsWrong(
  { level, min, max }: FileName,
  { header, pages, isFull }: Decoded,
  state: StagedState,
): string | undefined {
  const { digests = [] } = state;
  if (header.commit !== digests.length) return `it has ${header.commit} of ${digests.length} pages`;
  for (const [pgno, digest] of pages) {
    if (digests[pgno - 1] !== digest) return `page ${pgno} is not the one of TXID ${max}`;
  }
  if (level !== SNAPSHOT_LEVEL && header.timestampMs !== state.timestampMs) {
    return `its time is not that of TXID ${max}`;
  }
  if (isFull) return undefined;
  if (min === 1) return 'it is a base, and lacks pages';
  for (let each: StagedState | undefined = state; ; each = each.parent) {
    if (each === undefined) return `TXID ${min} was not staged`;
    if (each.txid < min) return undefined;
    if (each.isImage && each.txid < max) return `TXID ${each.txid} in it is a full snapshot`;
    for (const pgno of each.decoded.pages.keys()) {
      if (pgno <= header.commit && !pages.has(pgno)) return `it lacks page ${pgno}`;
    }
    if (each.txid === min) return undefined;
  }
}
