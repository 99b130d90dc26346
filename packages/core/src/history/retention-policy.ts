/** What a destination keeps, and for how long. */

import type { LTXFileInfo } from '../replica/replica.ts';
import { DEFAULT_LEVELS } from './levels.ts';

/** Minimum time between the moment at which a file stops being needed and its deletion. */
export const DELETE_GRACE_MS = 3_600_000;

/** How long a destination keeps its files, in milliseconds. */
export interface RetentionPolicy {
  /** States that were current within this time can be restored. */
  readonly retentionMs: number;
  /** Minimum age of a file of level 0 that is deleted because a merged file covers it; Infinity: never. */
  readonly l0RetentionMs: number;
  /** The highest level that files are merged into. Files below it stay until they are merged. */
  readonly topLevel: number;
}

/** Three days of history. Level 0 as in Litestream. */
export const RETENTION_DEFAULTS: RetentionPolicy = {
  retentionMs: 72 * 3_600_000,
  l0RetentionMs: 5 * 60_000,
  topLevel: DEFAULT_LEVELS.length,
};

/** The files of one destination, and when they are judged. */
export interface RetentionInput {
  /** All files of one destination. */
  readonly files: readonly LTXFileInfo[];
  /** The server's time, or an earlier time. */
  readonly nowMs: number;
  readonly policy: RetentionPolicy;
}
