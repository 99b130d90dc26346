/**
 * A drill: restores the state of one destination, alone, to a scratch folder, and examines it. The
 * decisions are in verdict.ts.
 */

import path from 'node:path';
import { systemClock, type Clock } from '../clock.ts';
import { ReplicationError } from '../error.ts';
import { systemFiles, type FileSystem } from '../file-system.ts';
import { reachableTXIDs } from '../history/chain.ts';
import { HEADER_SIZE_BYTES } from '../ltx/header.ts';
import { formatTXID, type TXID } from '../ltx/txid.ts';
import { systemRandom, type Random } from '../random.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import type { IntegrityCheck } from '../restore/integrity.ts';
import { readHeader, toPlanTarget, type RestoreTarget } from '../restore/plan/listing.ts';
import { planRestore } from '../restore/plan/plan.ts';
import type { RestoreSource } from '../restore/plan/sources.ts';
import { surveyReplica, type NewestFile } from '../restore/plan/survey.ts';
import { restore, type RestoreProgress, type RestoreReport } from '../restore/restore.ts';
import type { AssertionResult } from './checks.ts';
import type { Position } from '../database/continuity/position.ts';
import { readPosition } from './live.ts';
import { examineRestored, type Examination, type LiveDatabase } from './examine.ts';
import { requireOwn } from './sent.ts';
import {
  judge,
  lossWindowMs,
  toComparison,
  type Comparison,
  type DrillProblem,
  type DrillResult,
  type KnownState,
} from './verdict.ts';

/** The state to restore. `random`: any state that the destination can restore. */
export type DrillTarget = RestoreTarget | { readonly kind: 'random' };

/** Options of `drill`. */
export interface DrillOptions {
  /** Name of the destination, for messages. */
  readonly name: string;
  /** Connects to the destination. Its errors are a result of the drill. */
  readonly open: (signal: AbortSignal) => Promise<Pick<RestoreSource, 'client' | 'capabilities'>>;
  readonly target: DrillTarget;
  /** Only for this drill. The caller removes it with everything in it. */
  readonly folder: string;
  /** The last state known to have been sent there, read before the drill began. */
  readonly sent?: KnownState | undefined;
  /** The database on this machine that the destination is a backup of. */
  readonly live?: LiveDatabase | undefined;
  readonly integrityCheck: IntegrityCheck;
  readonly assertions: readonly string[];
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
  readonly signal: AbortSignal;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly files?: FileSystem | undefined;
}

/** Result of `drill`. Fields are undefined if the drill did not get that far. */
export interface DrillReport {
  readonly result: DrillResult;
  /** What is wrong, or why the drill is inconclusive. */
  readonly problems: readonly DrillProblem[];
  /** When the drill began. ISO 8601, as all times. */
  readonly at: string;
  /** The newest state that can be restored: 16 hex digits. */
  readonly newestTXID: string | undefined;
  /** The restored state, and the time of its last commit. */
  readonly txid: string | undefined;
  readonly timestamp: string | undefined;
  /** Time to connect, list, restore and make the file durable. */
  readonly restoreMs: number | undefined;
  /** Upper bound of what would be lost now, as an age; 0 if nothing was committed since. */
  readonly lossWindowMs: number | undefined;
  readonly filesListed: number | undefined;
  readonly filesRead: number | undefined;
  readonly bytesRead: number | undefined;
  readonly databaseBytes: number | undefined;
  readonly assertions: readonly AssertionResult[];
  readonly comparison: Comparison;
}

/** Room for the files that SQLite creates beside the restored database: `-shm` (32 KiB), and the log. */
const SIDE_FILES_SIZE_BYTES: number = 64 * 1024;

/** What a drill has seen so far. */
interface Seen {
  listed?: { readonly atMs: number; readonly files: number; readonly newest: NewestFile };
  restored?: { readonly report: RestoreReport; readonly ms: number; readonly state: KnownState };
  examination?: Examination;
}

/** Rejects only with the reason of the signal. Everything else is a result. */
export async function drill(options: DrillOptions): Promise<DrillReport> {
  const { signal, clock = systemClock } = options;
  const at = new Date(clock.now()).toISOString();
  const seen: Seen = {};
  let failure: unknown;
  try {
    await examine(options, seen);
  } catch (error) {
    signal.throwIfAborted();
    failure = error;
  }
  return toReport(at, seen, failure);
}

async function examine(options: DrillOptions, seen: Seen): Promise<void> {
  const { name, signal, clock = systemClock, files = systemFiles } = options;
  const startedAt = clock.monotonic();
  const source = { name, ...(await options.open(signal)) };
  const before = await positionOf(options.live);
  const { listed, newest } = await list(source, options);
  const positions = [before, await positionOf(options.live)].filter((each) => each !== undefined);
  seen.listed = { atMs: clock.now(), files: listed.length, newest };
  requireOwn(name, newest, { sent: options.sent, positions });

  const txid = await findTXID(source, listed, options);
  const plan = planRestore(listed, { kind: 'txid', txid });
  const last = plan.files.at(-1) as LTXFileInfo;
  const header = await readHeader(source.client, last, signal);
  const sizeBytes = header.commit * header.pageSize + SIDE_FILES_SIZE_BYTES;
  await requireRoom(files, options.folder, sizeBytes);

  const output = path.join(options.folder, 'restored.db');
  const { onProgress } = options;
  const report = await restore({
    sources: [{ ...source, listed }],
    output,
    target: { kind: 'txid', txid },
    onProgress,
    signal,
    clock,
  });
  const ms = Math.round(clock.monotonic() - startedAt);
  const state = { txid, lineage: header.nodeID };
  seen.restored = { report, ms, state };

  const { integrityCheck, assertions } = options;
  const live = options.live && { ...options.live, positions };
  if (integrityCheck === 'none' && assertions.length === 0 && live === undefined) return;
  const restored = { file: output, ...state };
  seen.examination = await examineRestored({ restored, integrityCheck, assertions, live }, signal);
  const { obstacle } = seen.examination;
  if (obstacle !== undefined) throw uncheckedError(options.folder, obstacle);
}

/** A listing that is newer than this position, or just older, has its TXID. */
async function positionOf(live: LiveDatabase | undefined): Promise<Position | undefined> {
  try {
    return live && (await readPosition(live.metaPath));
  } catch {
    return undefined; // the comparison reads it again, and says why it cannot
  }
}

/** The newest state must be restorable, whichever state is restored. */
async function list(
  { client }: RestoreSource,
  { name, sent, signal }: DrillOptions,
): Promise<{ listed: readonly LTXFileInfo[]; newest: NewestFile }> {
  const survey = await surveyReplica(client, { kind: 'latest' }, signal);
  if (survey.kind === 'restorable') return survey;
  if (survey.kind === 'unusable') throw survey.error;
  const message =
    sent === undefined
      ? `there is no backup at ${name}: there are no LTX files; replicate to it first`
      : `${name} is empty, but TXID ${formatTXID(sent.txid)} was sent there: mount its disk, or correct its ` +
        'path; if its files were deleted, restart the replicator, which sends a full snapshot';
  throw new ReplicationError('RESTORE_NO_SNAPSHOT', message);
}

async function findTXID(
  { client }: RestoreSource,
  listed: readonly LTXFileInfo[],
  { target, random = systemRandom, signal }: DrillOptions,
): Promise<TXID> {
  if (target.kind === 'random') return pickTXID(listed, random);
  const found = await toPlanTarget(listed, target, (file) => readHeader(client, file, signal));
  return found.target.kind === 'txid' ? found.target.txid : planRestore(listed, found.target).txid;
}

/** One of the states that can be restored; there is at least one. */
export function pickTXID(listed: readonly LTXFileInfo[], random: Random): TXID {
  const usable = listed.filter(({ sizeBytes }) => sizeBytes >= HEADER_SIZE_BYTES);
  const states = reachableTXIDs(usable);
  return states[Math.floor(random.fraction() * states.length)] as TXID;
}

async function requireRoom(files: FileSystem, folder: string, sizeBytes: number): Promise<void> {
  const { availableBytes, sizeBytes: volumeBytes } = await files.volume(folder);
  const isReported = volumeBytes > 0; // some network file systems report zeros
  if (!isReported || availableBytes >= sizeBytes) return;
  throw new ReplicationError(
    'RESTORE_OUTPUT',
    `restore ${sizeBytes} bytes to ${folder}: only ${availableBytes} bytes are free there; ` +
      'free some space, or choose another folder (-tmp)',
  );
}

function uncheckedError(folder: string, obstacle: string): ReplicationError {
  return new ReplicationError(
    'RESTORE_OUTPUT',
    `the restored database in ${folder} could not be checked: ${obstacle}; free some space there, check that disk, ` +
      'or choose another folder (-tmp)',
  );
}

function toReport(at: string, seen: Seen, error: unknown): DrillReport {
  const { listed, restored, examination } = seen;
  const assertions = examination?.assertions ?? [];
  const live = examination?.live;
  const comparison: Comparison =
    restored === undefined
      ? { kind: 'not compared', why: 'nothing was restored' }
      : toComparison(live, restored.state);
  const report = restored?.report;
  const { result, problems } = judge({
    error,
    avoided: report?.avoided ?? [],
    corruption: examination?.corruption,
    assertions,
    comparison,
  });
  return {
    result,
    problems,
    at,
    newestTXID: listed && formatTXID(listed.newest.txid),
    txid: report?.txid,
    timestamp: report?.timestamp,
    restoreMs: restored?.ms,
    lossWindowMs: listed && lossWindowMs(listed.newest, listed.atMs, live),
    filesListed: listed?.files,
    filesRead: report?.filesRead,
    bytesRead: report?.bytesRead,
    databaseBytes: report && report.commit * report.pageSize,
    assertions,
    comparison,
  };
}
