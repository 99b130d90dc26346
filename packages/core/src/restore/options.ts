/** The options and the result of a restore. */

import type { Clock } from '../clock.ts';
import type { ErrorCode } from '../error.ts';
import type { LTXHeader } from '../ltx/header.ts';
import type { IntegrityCheck } from './integrity.ts';
import type { Published } from './output.ts';
import type { Overwrite } from './output-target.ts';
import type { RestoreTarget } from './plan/listing.ts';
import type { Moment } from './plan/moment.ts';
import type { RestoreSource, SourcedFile } from './plan/sources.ts';
import type { Resumed } from './resume/downloads.ts';

/** Options of `restore`. */
export interface RestoreOptions {
  /**
   * The nearest first. All must hold the same history: `unite` finds them. A file that is missing or damaged at
   * one of them is taken from another.
   */
  readonly sources: readonly RestoreSource[];
  readonly output: string;
  readonly target: RestoreTarget;
  /** Default 'refuse'. An empty file is always replaced. */
  readonly overwrite?: Overwrite | undefined;
  /** Concurrent reads. Default 16; at most 8 of them in large files. */
  readonly parallelism?: number | undefined;
  /** Default 'none': checksums already verify every page. */
  readonly integrityCheck?: IntegrityCheck | undefined;
  /**
   * 'keep': the caller reads the restored file next, so it is written through the page cache. Default: it may be
   * written past the cache, which takes less processor time.
   */
  readonly cache?: 'keep' | undefined;
  /**
   * 'kept': download the files beside the output first, and keep them if the restore fails. A later restore
   * with 'kept' downloads only the rest. Default: nothing is left behind.
   */
  readonly downloads?: 'kept' | undefined;
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
  /** May change the complete, verified file before it gets its name. */
  readonly onVerified?: ((output: VerifiedOutput) => Promise<void>) | undefined;
  /** On abort the promise rejects with the signal's reason, and no file is left behind. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
}

/** A complete, verified file that has no name yet. */
export interface VerifiedOutput {
  readonly descriptor: number;
  /** Header of the newest file. */
  readonly header: LTXHeader;
  /** The newest file. */
  readonly last: SourcedFile;
}

/** Restarts from zero if a file turned out to be missing or damaged and others replace it. */
export interface RestoreProgress {
  readonly doneBytes: number;
  /**
   * Total size of the plan's files; fewer bytes are read if a file turns out to hold every page.
   */
  readonly totalBytes: number;
  readonly files: number;
}

/** A missing or damaged file that other files replaced. */
export interface AvoidedFile {
  readonly file: string;
  /** The name of the source. */
  readonly source: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What was read from one source. */
export interface ReadSource {
  /** The name of the source. */
  readonly source: string;
  readonly files: number;
  /** Size of these files. */
  readonly sizeBytes: number;
}

/** A source that could not be read; others replaced it. */
export interface FailedSource {
  /** The name of the source. */
  readonly source: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Result of `restore`. Sizes are in bytes. */
export interface RestoreReport extends Published {
  /** 16 hex digits. */
  readonly txid: string;
  /** ISO 8601: the time of the newest file; for a timestamp, of the commit. */
  readonly timestamp: string;
  readonly filesRead: number;
  readonly bytesRead: number;
  readonly pageSize: number;
  /** Size of the database in pages. */
  readonly commit: number;
  readonly durationMs: number;
  /** If this is not empty, the destination should be repaired. */
  readonly avoided: readonly AvoidedFile[];
  /** Sources that stopped answering during the restore. */
  readonly failedSources: readonly FailedSource[];
  /** The sources of the state, in the order of `sources`. */
  readonly readFrom: readonly ReadSource[];
  /** For a timestamp: the state that was chosen, the next one, and any doubt. */
  readonly moment: Moment | undefined;
  /** With kept downloads: what an earlier restore had left. */
  readonly resumed: Resumed | undefined;
}
