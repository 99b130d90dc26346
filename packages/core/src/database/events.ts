/** Events of a watched database. All of them can be sent to another thread. */

import type { ErrorCode } from '../error.ts';
import type { FoundFile } from './staging/staged-check.ts';
import type { StagedFile } from './staging/staging.ts';

export interface StagedEvent {
  readonly kind: 'staged';
  readonly file: StagedFile;
  readonly content: 'increment' | 'image' | 'snapshot';
  readonly pageSize: number;
  readonly commit: number;
  /** The run of images and increments that it belongs to; the node ID in its header. */
  readonly lineage: bigint;
  readonly timestampMs: number;
  /** Lower bound for the time of its oldest commit, by the monotonic clock. */
  readonly since: number;
  /** Everything committed by this time is in this file or earlier ones. */
  readonly asOf: number;
}

export interface OpenedEvent {
  readonly kind: 'opened';
  /** 'idle': it was closed only because it was idle. Requests made since then are kept. */
  readonly after: 'start' | 'idle';
  /** The newest TXID with proved continuity; undefined if an image is needed. */
  readonly proved: bigint | undefined;
  readonly why: string | undefined;
  /** TXID of the newest staged file, if its page checksums are known; else undefined. */
  readonly checksummed: bigint | undefined;
  /** All staged files. Empty after 'idle': nothing but the events since then has changed them. */
  readonly staged: readonly FoundFile[];
  /** The highest assigned TXID found in the staging folder; 0n if none. */
  readonly lastTXID: bigint;
  readonly pageSize: number;
  readonly switchedToWAL: boolean;
}

/** Statistics of a followed database, since it was opened. */
export interface FollowStats {
  readonly walSizeBytes: number;
  readonly log: number;
  readonly checkpointed: number;
  readonly ticks: number;
  readonly checkpoints: number;
  readonly barriers: number;
  readonly barrierOverruns: number;
  /** Number of barriers that took up to 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000 ms, or longer. */
  readonly barrierHistogram: readonly number[];
}

/** Why there is no database to follow. */
export type Absence = 'no folder' | 'no file' | 'empty';

export type EngineEvent =
  | { readonly kind: 'waiting'; readonly absence: Absence; readonly why: string }
  | OpenedEvent
  /** An image will get this TXID. No file from this TXID on may be sent before the image is staged. */
  | { readonly kind: 'imaging'; readonly txid: bigint; readonly why: string }
  /** The database was compared with page checksums: `changed` of its pages differ, and are in the file `txid`. */
  | {
      readonly kind: 'compared';
      readonly txid: bigint;
      readonly pages: number;
      readonly changed: number;
    }
  | { readonly kind: 'progress'; readonly doneBytes: number; readonly totalBytes: number }
  | StagedEvent
  /** There is no room for a commit. It is held in memory, and staging is retried. */
  | { readonly kind: 'full'; readonly message: string }
  /** A requested snapshot cannot be made. Replication continues. */
  | { readonly kind: 'no-snapshot'; readonly code: ErrorCode; readonly message: string }
  /** The database is no longer followed. It is opened again after a wait. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'notice'; readonly level: 'info' | 'warn'; readonly message: string };

export const BARRIER_BUCKETS_MS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
