/** The staged files of one database, oldest first, and what may be freed of them. Pure. */

import type { StagedEvent } from '../database/events.ts';
import type { FoundFile } from '../database/staging/staged-check.ts';

export interface StagedIncrement {
  readonly txid: bigint;
  readonly path: string;
  readonly sizeBytes: number;
  readonly content: 'increment' | 'image';
  /** The run of images and increments that it belongs to. */
  readonly lineage: bigint;
  readonly pageSize: number;
  readonly timestampMs: number;
  /** When the oldest commit in it was seen, by the monotonic clock. */
  readonly since: number;
  /** Everything that was committed then is in it, or in the files before it. */
  readonly asOf: number;
}

export interface StagedSnapshot {
  readonly txid: bigint;
  readonly lineage: bigint;
  readonly path: string;
  readonly sizeBytes: number;
  readonly pageSize: number;
  readonly timestampMs: number;
}

export class Backlog {
  readonly #files: StagedIncrement[] = [];
  /** Nothing from this TXID on may be sent: an image that bears it is not whole yet. */
  #gate: bigint | undefined;

  get files(): readonly StagedIncrement[] {
    return this.#files;
  }

  get newest(): StagedIncrement | undefined {
    return this.#files.at(-1);
  }

  get sizeBytes(): number {
    return this.#files.reduce((sum, file) => sum + file.sizeBytes, 0);
  }

  reset(files: readonly StagedIncrement[]): void {
    this.#files.splice(0, this.#files.length, ...files);
    this.#gate = undefined;
  }

  /** Whether an image is announced that is not whole yet. */
  get isGated(): boolean {
    return this.#gate !== undefined;
  }

  gate(txid: bigint): void {
    this.#gate = txid;
  }

  add(file: StagedIncrement): void {
    const after = this.#files.findIndex((known) => known.txid > file.txid);
    this.#files.splice(after < 0 ? this.#files.length : after, 0, file);
    if (file.content === 'image' && file.txid === this.#gate) this.#gate = undefined;
  }

  /** The file of `txid`, if it is staged and may be sent. */
  get(txid: bigint): StagedIncrement | undefined {
    if (this.#gate !== undefined && txid >= this.#gate) return undefined;
    return this.#files.find((file) => file.txid === txid);
  }

  /** Whether the file at `path` is still staged. */
  has(path: string): boolean {
    return this.#files.some((file) => file.path === path);
  }

  /** The oldest image that `fits`, of those that may be sent. */
  firstImage(fits: (image: StagedIncrement) => boolean): StagedIncrement | undefined {
    return this.#files.find(
      (file) => file.content === 'image' && fits(file) && this.get(file.txid) === file,
    );
  }

  /** What a destination that has everything up to `txid` lacks. */
  pendingAfter(txid: bigint): { count: number; sizeBytes: number } {
    const pending = this.#files.filter((file) => file.txid > txid);
    return {
      count: pending.length,
      sizeBytes: pending.reduce((sum, file) => sum + file.sizeBytes, 0),
    };
  }

  /** Takes out the file at `path`, which is not there any more. */
  forget(path: string): void {
    const index = this.#files.findIndex((file) => file.path === path);
    if (index >= 0) this.#files.splice(index, 1);
  }

  /** Takes out, for deletion, all up to `txid` but the newest, which always stays. */
  release(txid: bigint): StagedIncrement[] {
    const kept = this.#files.findIndex((file) => file.txid > txid);
    const count = Math.min(kept < 0 ? this.#files.length : kept, this.#files.length - 1);
    return count <= 0 ? [] : this.#files.splice(0, count);
  }
}

export function toIncrement(event: StagedEvent): StagedIncrement {
  const { file, content, lineage, pageSize, timestampMs, since, asOf } = event;
  return {
    txid: file.maxTXID,
    path: file.path,
    sizeBytes: file.sizeBytes,
    content: content === 'image' ? 'image' : 'increment',
    lineage,
    pageSize,
    timestampMs,
    since,
    asOf,
  };
}

/** Of a file of an earlier run. */
export function foundIncrement({ file, ...described }: FoundFile): StagedIncrement {
  return {
    txid: file.maxTXID,
    path: file.path,
    sizeBytes: file.sizeBytes,
    asOf: described.since,
    ...described,
  };
}
