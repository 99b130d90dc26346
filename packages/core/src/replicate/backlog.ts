/** The staged files of one database, oldest first. Pure: decides which files may be sent or freed. */

import type { StagedEvent } from '../database/events.ts';
import type { SnapshotScope } from './levels/snapshot-time.ts';
import type { FoundFile } from '../database/staging/staged-check.ts';

export interface StagedIncrement {
  readonly txid: bigint;
  readonly path: string;
  readonly sizeBytes: number;
  readonly content: 'increment' | 'image';
  /** ID of the history that the file belongs to: one image and the increments after it. */
  readonly lineage: bigint;
  readonly pageSize: number;
  readonly timestampMs: number;
  /** When its oldest commit was first seen, by the monotonic clock. */
  readonly since: number;
  /** This file and the ones before it contain everything committed by this time. */
  readonly asOf: number;
}

export interface StagedSnapshot {
  readonly txid: bigint;
  readonly lineage: bigint;
  readonly path: string;
  readonly sizeBytes: number;
  readonly pageSize: number;
  readonly timestampMs: number;
  /** Which destinations get it; undefined: all. */
  readonly scope?: SnapshotScope | undefined;
}

export class Backlog {
  readonly #files: StagedIncrement[] = [];
  /** TXID of an image that is still being made. Nothing from this TXID on may be sent. */
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

  /** Whether an announced image is still being made. */
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

  /** The file with this TXID, if it is staged and may be sent. */
  get(txid: bigint): StagedIncrement | undefined {
    if (this.#gate !== undefined && txid >= this.#gate) return undefined;
    return this.#files.find((file) => file.txid === txid);
  }

  /** The files that may be sent. */
  get sendable(): readonly StagedIncrement[] {
    const gate = this.#gate;
    return gate === undefined ? this.#files : this.#files.filter(({ txid }) => txid < gate);
  }

  has(path: string): boolean {
    return this.#files.some((file) => file.path === path);
  }

  /** The oldest image that may be sent and for which `fits` returns true. */
  firstImage(fits: (image: StagedIncrement) => boolean): StagedIncrement | undefined {
    return this.#files.find(
      (file) => file.content === 'image' && fits(file) && this.get(file.txid) === file,
    );
  }

  /** Number and size of the files that a destination at `txid` still lacks. */
  pendingAfter(txid: bigint): { count: number; sizeBytes: number } {
    const pending = this.#files.filter((file) => file.txid > txid);
    return {
      count: pending.length,
      sizeBytes: pending.reduce((sum, file) => sum + file.sizeBytes, 0),
    };
  }

  /** Removes the entry of a file that no longer exists. */
  forget(path: string): void {
    const index = this.#files.findIndex((file) => file.path === path);
    if (index >= 0) this.#files.splice(index, 1);
  }

  /** Removes and returns the files up to `txid`, for deletion. The newest file always stays. */
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

/**
 * Converts a staged file that was found when the database was opened. `known`: the file that was staged there until
 * then. Without it the age comes from the wall clock, which may have been set back since; but the commits are older
 * than this process, which began at `startedAt`.
 */
export function toFoundIncrement(
  { file, ...described }: FoundFile,
  startedAt: number,
  known?: StagedIncrement,
): StagedIncrement {
  const { maxTXID: txid, path, sizeBytes } = file;
  const isKnown =
    known?.sizeBytes === sizeBytes &&
    known.lineage === described.lineage &&
    known.timestampMs === described.timestampMs;
  const since = Math.min(described.since, startedAt);
  const times = isKnown ? { since: known.since, asOf: known.asOf } : { since, asOf: since };
  return { ...described, txid, path, sizeBytes, ...times };
}
