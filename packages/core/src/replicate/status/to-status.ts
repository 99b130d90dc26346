/** Converts a database and its uploaders to a status and to a final report. */

import type { Clock } from '../../clock.ts';
import type { GaugeReadings } from '../../database/gauges.ts';
import { formatTXID, toTXID } from '../../ltx/txid.ts';
import type { DatabaseOptions } from '../../database/options.ts';
import type { Backlog } from '../backlog.ts';
import type { Condition } from '../condition.ts';
import type { UploadFailure } from '../destination/upload-queue.ts';
import type { Uploader } from '../destination/uploader.ts';
import type { EndingResult } from '../final-sync.ts';
import type { Compactor } from '../levels/compactor.ts';
import type { DatabaseHealth } from './database-health.ts';
import type { FileMarks } from './file-marks.ts';
import type {
  DatabaseReport,
  DatabaseStatus,
  DestinationReport,
  DestinationStatus,
  StatusError,
} from './status.ts';
import { type DestinationFacts, lagMs, type Verdict } from './verdict.ts';
import { describeWriter } from './writer.ts';

export interface DatabaseInput {
  readonly options: Pick<DatabaseOptions, 'path' | 'stagingMaxBytes'>;
  readonly condition: Pick<Condition, 'state' | 'error' | 'snapshotError' | 'errors'>;
  readonly clock: Clock;
  readonly heartbeatMs: number;
  readonly marks: FileMarks | undefined;
  readonly head: bigint;
  readonly pageSize: number | undefined;
  readonly backlog: Backlog;
  readonly compactor: Pick<Compactor, 'figures' | 'staged' | 'stagedBytes'>;
  readonly health: DatabaseHealth;
  /** Verdict of the last sync, once it was made. */
  readonly ending: Verdict | undefined;
  readonly uploaders: readonly Uploader[];
}

export function toDatabaseStatus(input: DatabaseInput): DatabaseStatus {
  const { backlog, clock, compactor, condition, health, heartbeatMs, head } = input;
  const facts = health.facts();
  const { healthy, problems } = input.ending ?? health.verdict(facts);
  const gauges = health.gauges.read();
  const unstaged = toUnstaged(gauges);
  return {
    path: input.options.path,
    state: condition.state,
    at: new Date(clock.now()).toISOString(),
    pid: process.pid,
    writer: describeWriter(clock, heartbeatMs),
    marks: input.marks,
    txid: head === 0n ? undefined : formatTXID(head),
    pageSize: input.pageSize,
    stagedFiles: backlog.files.length + compactor.staged.length,
    stagedBytes: backlog.sizeBytes + compactor.stagedBytes,
    compaction: compactor.figures.map(({ txid, ...figures }) => ({
      ...figures,
      txid: txid === 0n ? undefined : formatTXID(toTXID(txid)),
    })),
    commitsSeen: gauges.commits,
    lastCommitAt: toWallTime(gauges.committedAt, clock),
    logBytes: gauges.logBytes,
    unstaged,
    stagingMaxBytes: input.options.stagingMaxBytes,
    checkpoints: { count: gauges.checkpoints, seconds: gauges.checkpointMicros / 1e6 },
    errors: condition.errors,
    walBytes: gauges.walSizeBytes,
    healthy,
    problems,
    facts,
    error: condition.error,
    snapshotError: condition.snapshotError,
    destinations: input.uploaders.map((uploader, index) =>
      toDestinationStatus(uploader, {
        backlog,
        facts: facts.destinations[index],
        freshMs: facts.freshMs,
        unstagedBytes: unstaged.logBytes,
      }),
    ),
  };
}

function toUnstaged(gauges: GaugeReadings): { commits: number; logBytes: number } {
  return {
    commits: Math.max(0, gauges.commits - gauges.stagedCommits),
    logBytes: Math.max(0, gauges.logBytes - gauges.stagedLogBytes),
  };
}

/** `at`: by the monotonic clock; 0: never. */
function toWallTime(at: number, clock: Clock): string | undefined {
  if (at === 0) return undefined;
  return new Date(clock.now() - Math.max(0, clock.monotonic() - at)).toISOString();
}

interface DestinationStatusInput {
  readonly backlog: Backlog;
  readonly facts: DestinationFacts | undefined;
  /** A WAL reading younger than this counts as current. */
  readonly freshMs: number;
  readonly unstagedBytes: number;
}

function toDestinationStatus(uploader: Uploader, input: DestinationStatusInput): DestinationStatus {
  const { replicatedTXID, health, snapshotRefusal } = uploader;
  const { contents } = uploader.deleter;
  const { backlog, facts, freshMs } = input;
  const pending = backlog.pendingAfter(replicatedTXID ?? 0n);
  const { lastError, lastSuccessMs } = health;
  return {
    name: uploader.name,
    type: uploader.type,
    target: uploader.target,
    state: uploader.state,
    damage: uploader.holdings.why,
    txid: replicatedTXID === undefined ? undefined : formatTXID(replicatedTXID),
    lagSeconds: facts === undefined ? 0 : lagMs(facts, freshMs) / 1_000,
    lagBytes: pending.sizeBytes + input.unstagedBytes,
    pendingFiles: pending.count,
    pendingBytes: pending.sizeBytes,
    fencing: uploader.fencing,
    listings: uploader.listings,
    files: contents.files,
    bytes: contents.sizeBytes,
    retention: {
      seconds: contents.retention && contents.retention.retentionMs / 1_000,
      deletedFiles: contents.deleted.files,
      deletedBytes: contents.deleted.sizeBytes,
      refusal: contents.refusal,
    },
    bytesSent: health.bytesSent,
    lastSuccessAt: lastSuccessMs === undefined ? undefined : new Date(lastSuccessMs).toISOString(),
    snapshotError: toStatusError(snapshotRefusal),
    mergeError: toStatusError(uploader.levelFailure),
    lastError: toStatusError(lastError),
    errors: health.errors,
  };
}

function toStatusError(failure: UploadFailure | undefined): StatusError | undefined {
  if (failure === undefined) return undefined;
  const { code, message, atMs } = failure;
  return { code, message, at: new Date(atMs).toISOString() };
}

/** The report of the last sync. */
export function toDatabaseReport(
  path: string,
  { result, target, verdict, absence }: EndingResult,
  condition: Pick<Condition, 'error' | 'toStatusError'>,
  uploaders: readonly Uploader[],
): DatabaseReport {
  const error =
    result.kind === 'failed'
      ? condition.toStatusError(result.code, result.message)
      : condition.error;
  return {
    path,
    txid: target === 0n ? undefined : formatTXID(target),
    absence,
    healthy: verdict.healthy,
    problems: verdict.problems,
    error,
    destinations: uploaders.map((uploader) => toDestinationReport(uploader, verdict, error)),
  };
}

function toDestinationReport(
  uploader: Uploader,
  { behind, problems }: Verdict,
  error: StatusError | undefined,
): DestinationReport {
  const { replicatedTXID, health } = uploader;
  const isBehind = replicatedTXID === undefined || behind.includes(uploader.name);
  const complete = isBehind ? 'behind' : 'complete';
  const own = problems.find(({ destination }) => destination === uploader.name);
  const cause = health.lastError ?? (own === undefined ? toDatabaseCause(error) : undefined);
  const unknown = {
    code: 'REPLICA_UNAVAILABLE',
    message: (own ?? problems[0])?.message ?? 'it has not responded',
  };
  const { code, message } = cause ?? unknown;
  return {
    name: uploader.name,
    target: uploader.target,
    txid: replicatedTXID === undefined ? undefined : formatTXID(replicatedTXID),
    complete,
    cause: complete === 'complete' ? undefined : { code, message },
  };
}

/** Why a destination lacks commits although it did not fail itself. */
function toDatabaseCause(
  error: StatusError | undefined,
): { code: string; message: string } | undefined {
  if (error === undefined) return undefined;
  return { code: error.code, message: 'the database could not be read or staged completely' };
}
