/** What a watched database tells the one who watches it. All of it can cross a thread. */

import type { ErrorCode } from '../error.ts';
import type { FoundFile } from './staging/staged-check.ts';
import type { StagedFile } from './staging/staging.ts';

export interface StagedEvent {
  readonly kind: 'staged';
  readonly file: StagedFile;
  readonly content: 'increment' | 'image' | 'snapshot';
  readonly pageSize: number;
  readonly commit: number;
  /** The run of images and increments that it belongs to: the node id of its header. */
  readonly lineage: bigint;
  readonly timestampMs: number;
  /** Its oldest commit was made then or later, by the monotonic clock. */
  readonly since: number;
  /** Everything that was committed then is in it, or in the files before it. */
  readonly asOf: number;
}

export interface OpenedEvent {
  readonly kind: 'opened';
  /** The newest TXID of which continuity is proved; undefined where an image has to be taken. */
  readonly proved: bigint | undefined;
  readonly why: string | undefined;
  readonly staged: readonly FoundFile[];
  /** The highest TXID that was given out, as far as the staging folder tells; 0n where none was. */
  readonly lastTXID: bigint;
  readonly pageSize: number;
  readonly switchedToWAL: 'yes' | 'no';
}

/** Figures of a database that is followed, since it was opened. */
export interface FollowStats {
  readonly walSizeBytes: number;
  readonly log: number;
  readonly checkpointed: number;
  readonly ticks: number;
  readonly checkpoints: number;
  readonly barriers: number;
  readonly barrierOverruns: number;
  /** How often a barrier took up to 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000 ms, or longer. */
  readonly barrierHistogram: readonly number[];
}

/** Why there is nothing to follow. */
export type Absence = 'no folder' | 'no file' | 'empty';

export type EngineEvent =
  | { readonly kind: 'waiting'; readonly absence: Absence; readonly why: string }
  | OpenedEvent
  /** An image will bear this TXID: nothing from it on may be sent before it is staged. */
  | { readonly kind: 'imaging'; readonly txid: bigint; readonly why: string }
  | { readonly kind: 'progress'; readonly doneBytes: number; readonly totalBytes: number }
  | StagedEvent
  /** There is no room for what is committed: it is held in memory, and tried again. */
  | { readonly kind: 'full'; readonly message: string }
  /** A snapshot that was asked for cannot be made. All else goes on. */
  | { readonly kind: 'no-snapshot'; readonly code: ErrorCode; readonly message: string }
  /** Nothing is followed. It is opened anew after a while. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'notice'; readonly level: 'info' | 'warn'; readonly message: string };

export const BARRIER_BUCKETS_MS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
