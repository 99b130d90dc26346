/**
 * What the page shows, as plain data. The replicator of the command line tool is one source; an application can
 * write its own. Sizes are in bytes, times ISO 8601, UTC, TXIDs 16 hex digits.
 */

import type { DatabaseStatus } from '@sluice/core';

/** What the page reads. A method that is missing is not shown. Each one rejects with the reason of `signal`, or with an error that the page shows. */
export interface DashboardSource {
  /** Every database. Called every few seconds while a page is open, so it should cost little. */
  status(signal: AbortSignal): Promise<readonly DatabaseStatus[]>;
  /** The drills of a database that `status` has returned; undefined if they are not known yet. */
  drills(database: string): readonly DrillSummary[] | undefined;
  /** Limits and settings of a database; undefined if there is no such database. */
  settings(database: string): DatabaseSettings | undefined;
  /** What can be restored, for each destination. Reads the destinations. */
  history?(database: string, signal: AbortSignal): Promise<readonly DestinationHistory[]>;
  /** What a restore of a moment would read. Writes nothing. Goes with `history`. */
  plan?(database: string, target: PlanTarget, signal: AbortSignal): Promise<PlanView>;
  /** Measurements of the last hours; undefined if there are none. */
  samples?(database: string): Samples | undefined;
  /** A forecast of a month's requests and cost, where it can be made. Reads the destinations. */
  costs?(database: string, signal: AbortSignal): Promise<readonly CostView[]>;
  /** Restores to a path of the machine where this runs. Only called with the token. Never replaces a file. */
  restore?(order: RestoreOrder, signal: AbortSignal): Promise<RestoreResult>;
  /** Restores to a temporary file and returns it. Only called with the token. */
  download?(order: DownloadOrder, signal: AbortSignal): Promise<Download>;
  /** Runs a command of the replicator and returns its answer, as JSON. Only called with the token. */
  command?(order: CommandOrder, signal: AbortSignal): Promise<unknown>;
}

/** A command, such as `sync`. */
export interface CommandOrder {
  readonly command: string;
  /** JSON. */
  readonly input: unknown;
  readonly onProgress: (progress: unknown) => void;
}

/** The last drill of a destination. */
export interface DrillSummary {
  readonly destination: string;
  /** undefined if there was none. */
  readonly last?: DrillResultView | undefined;
  /** Drills before it, newest first. Only for the timeline: they are not in the live rows. */
  readonly earlier?: readonly Pick<DrillResultView, 'result' | 'at'>[] | undefined;
  /** The failed drill that still counts, which may be an earlier one. */
  readonly failure?: { readonly at: string; readonly problem: string } | undefined;
  /** undefined if there is no schedule. */
  readonly everySeconds?: number | undefined;
}

/** Result of one drill. */
export interface DrillResultView {
  readonly result: 'ok' | 'failed' | 'inconclusive';
  readonly kind: 'full' | 'warm';
  readonly at: string;
  readonly txid?: string | undefined;
  readonly restoreMs?: number | undefined;
  readonly lossWindowMs?: number | undefined;
  readonly problems: readonly string[];
  readonly lastSuccessAt?: string | undefined;
}

/** Limits that the measurements of a database are shown against. */
export interface DatabaseSettings {
  /** Commits older than this must be at every destination. */
  readonly maxLagSeconds: number;
  readonly stagingMaxBytes: number;
  /** A checkpoint is due at this number of pages in the WAL. */
  readonly checkpointPages: number;
  /** A checkpoint is due at this age of the oldest frame; 0: never because of age. */
  readonly checkpointSeconds: number;
  /** The WAL is truncated at this number of pages. */
  readonly truncatePages: number;
  readonly snapshotSeconds: number;
  /** Absolute path of the configuration, for the command that the page shows. */
  readonly configFile?: string | undefined;
  /** What that command names instead of the database: a destination, if there is no configuration. */
  readonly restoreFrom?: string | undefined;
}

/** A state with its time. */
export interface StateView {
  readonly txid: string;
  readonly timestamp: string;
}

/** What can be restored from one destination: the JSON of `sluice history`. Lists are newest first. */
export interface DestinationHistory {
  readonly replica: string;
  readonly target: string;
  /** Why it could not be read. */
  readonly error?: { readonly code?: string | undefined; readonly message: string } | undefined;
  readonly first?: StateView | undefined;
  readonly newest?: StateView | undefined;
  readonly moments_total?: number | undefined;
  readonly moments?: readonly (StateView & { readonly level: number })[] | undefined;
  readonly spans_total?: number | undefined;
  readonly spans?: readonly SpanView[] | undefined;
  readonly gaps_total?: number | undefined;
  readonly gaps?: readonly GapView[] | undefined;
  readonly snapshots_total?: number | undefined;
  readonly snapshots?: readonly (StateView & { readonly size: number })[] | undefined;
  readonly levels?: readonly LevelView[] | undefined;
  readonly doubt?: string | undefined;
  /** null: nothing is deleted. */
  readonly retention_seconds?: number | null | undefined;
}

/** States that follow each other without a gap. */
export interface SpanView {
  readonly level: number;
  readonly from: StateView;
  readonly to: StateView;
  readonly files: number;
  readonly resolution_ms?: number | undefined;
}

/** TXIDs that cannot be restored. */
export interface GapView {
  readonly from_txid: string;
  readonly to_txid: string;
  readonly before?: StateView | undefined;
  readonly after?: StateView | undefined;
}

/** All files of a level. */
export interface LevelView {
  readonly level: number;
  readonly files: number;
  readonly size: number;
}

/** Which moment to restore. */
export type PlanTarget =
  | { readonly kind: 'latest' }
  | { readonly kind: 'timestamp'; readonly at: string }
  | { readonly kind: 'txid'; readonly txid: string };

/** What a restore would read. */
export interface PlanView {
  readonly txid?: string | undefined;
  /** When the restored state was committed. */
  readonly timestamp?: string | undefined;
  /** Destinations that files are read from, the nearest first. */
  readonly from: readonly { readonly name: string; readonly target: string }[];
  readonly bytes: number;
  readonly fileCount: number;
  /** The first of them. */
  readonly files: readonly PlannedFile[];
  /** What is known to be doubtful about this choice. */
  readonly notes: readonly string[];
}

/** A file that a restore would read. */
export interface PlannedFile {
  readonly name: string;
  readonly level?: number | undefined;
  readonly size: number;
  readonly replica?: string | undefined;
}

/** Measurements at the same times; null where nothing was measured. Oldest first. */
export interface Samples {
  /** Unix time in seconds. */
  readonly at: readonly number[];
  readonly walBytes: readonly (number | null)[];
  readonly stagedBytes: readonly (number | null)[];
  /** Transactions a second since the time before. */
  readonly commitsPerSecond: readonly (number | null)[];
  readonly destinations: readonly DestinationSamples[];
  /** Errors seen since the process began, by code. */
  readonly errors: readonly ErrorCount[];
}

/** Measurements of one destination, at the times of `Samples.at`. */
export interface DestinationSamples {
  readonly name: string;
  readonly lagSeconds: readonly (number | null)[];
  readonly sentBytesPerSecond: readonly (number | null)[];
}

/** How often an error was seen. */
export interface ErrorCount {
  readonly code: string;
  /** undefined: an error of the database itself. */
  readonly destination?: string | undefined;
  readonly count: number;
  readonly lastAt: string;
  readonly message: string;
}

/** Forecast of a month at one destination. */
export interface CostView {
  readonly destination: string;
  /** Why there is none. */
  readonly error?: string | undefined;
  readonly requests?:
    | { readonly put: number; readonly get: number; readonly list: number; readonly delete: number }
    | undefined;
  readonly sentBytes?: number | undefined;
  readonly storedBytes?: number | undefined;
  readonly money?: { readonly total: number; readonly currency: string } | undefined;
  /** Whose prices, and of when. */
  readonly prices?: string | undefined;
}

/** A restore to a path. */
export interface RestoreOrder {
  readonly database: string;
  readonly target: PlanTarget;
  /** Absolute. */
  readonly output: string;
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}

/** A restored file, described. */
export interface RestoreResult {
  readonly output: string;
  readonly txid?: string | undefined;
  readonly timestamp?: string | undefined;
  readonly bytesRead: number;
  readonly durationMs: number;
}

/** A restore whose result is sent to the browser. */
export interface DownloadOrder {
  readonly database: string;
  readonly target: PlanTarget;
}

/** A restored file. Closing `body` removes it. */
export interface Download {
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly body: ReadableStream<Uint8Array>;
}
