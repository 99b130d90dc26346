/**
 * A drill: restores the state of one destination, alone, to a scratch folder, and examines it. The
 * decisions are in verdict.ts.
 */

import path from 'node:path';
import { systemClock, type Clock } from '../clock.ts';
import type { FileSystem } from '../file-system.ts';
import { formatTXID } from '../ltx/txid.ts';
import type { Random } from '../random.ts';
import type { IntegrityCheck } from '../restore/integrity.ts';
import type { Position } from '../database/continuity/position.ts';
import type { RestoreTarget } from '../restore/plan/listing.ts';
import type { RestoreSource } from '../restore/plan/sources.ts';
import type { RestoreProgress, RestoreReport } from '../restore/options.ts';
import type { V03Source } from '../v03/objects.ts';
import type { AssertionResult } from './checks.ts';
import { examineRestored, type Examination, type LiveDatabase } from './examine.ts';
import { restoreLTX } from './restore-ltx.ts';
import type { UsableSpace } from './room.ts';
import { restoreOld } from './restore-v03.ts';
import type { KeptCopy } from './warm/kept-copy.ts';
import { FullRestoreNeeded } from './warm/plan-warm.ts';
import {
  judge,
  lossWindowMs,
  toComparison,
  uncheckedError,
  type Comparison,
  type DrillProblem,
  type DrillResult,
  type Findings,
  type KnownState,
} from './verdict.ts';

/** The state to restore. `random`: any state that the destination can restore. */
export type DrillTarget = RestoreTarget | { readonly kind: 'random' };

/** An open destination: its LTX files, or its backup of Litestream 0.3. */
export type DrillSource =
  | Pick<RestoreSource, 'client' | 'capabilities'>
  | { readonly v03: V03Source };

/** Options of `drill`. */
export interface DrillOptions {
  /** Name of the destination, for messages. */
  readonly name: string;
  /** Connects to the destination. Its errors are a result of the drill. */
  readonly open: (signal: AbortSignal) => Promise<DrillSource>;
  readonly target: DrillTarget;
  /** Only for this drill. The caller removes it with everything in it. */
  readonly folder: string;
  /** The last state known to have been sent there, read before the drill began. */
  readonly sent?: KnownState | undefined;
  /** The database on this machine that the destination is a backup of. */
  readonly live?: LiveDatabase | undefined;
  readonly integrityCheck: IntegrityCheck;
  readonly assertions: readonly string[];
  /** Newer files are applied to this copy. FullRestoreNeeded, as a failure, if they do not continue it. */
  readonly base?: KeptCopy | undefined;
  /** Maximum time for the checks of a database of this size, in ms. undefined: someone is watching. */
  readonly examinationMsMax?: ((databaseBytes: number) => number) | undefined;
  /** Maximum size of the restored copy. */
  readonly scratchBytesMax?: number | undefined;
  /** Default 'all'. */
  readonly usable?: UsableSpace | undefined;
  readonly onProgress?:
    | ((progress: Pick<RestoreProgress, 'doneBytes' | 'totalBytes'>) => void)
    | undefined;
  readonly signal: AbortSignal;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly files?: FileSystem | undefined;
}

/** Result of `drill`. Fields are undefined if the drill did not get that far. */
export interface DrillReport {
  readonly result: DrillResult;
  /** 'warm': only newer files were read, and applied to the copy of an earlier drill. */
  readonly kind: 'full' | 'warm';
  /** What is wrong, or why the drill is inconclusive. */
  readonly problems: readonly DrillProblem[];
  /** When the drill began. ISO 8601, as all times. */
  readonly at: string;
  /** The newest state that can be restored: 16 hex digits. undefined for Litestream 0.3. */
  readonly newestTXID: string | undefined;
  /** The restored state, and the time of its last commit, or for Litestream 0.3 of its last upload. */
  readonly txid: string | undefined;
  /** Instead of a TXID, for Litestream 0.3: "00000001:00001038" is an index and an offset. */
  readonly generation?: string | undefined;
  readonly position?: string | undefined;
  readonly timestamp: string | undefined;
  /** Time to connect, list, restore and make the file durable. undefined for a warm drill: it is no restore. */
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

/** What a drill has seen so far. */
export interface Seen {
  listed?: {
    readonly atMs: number;
    readonly files: number;
    /** TXID 0 for a backup of Litestream 0.3. */
    readonly newest: KnownState & { readonly at: Date };
  };
  restored?: Pick<RestoreReport, 'timestamp' | 'filesRead' | 'bytesRead'> & {
    readonly avoided: Findings['avoided'];
    readonly databaseBytes: number;
    /** undefined for Litestream 0.3. */
    readonly pageSize: number | undefined;
    readonly state: KnownState;
    readonly txid: string | undefined;
    readonly generation: string | undefined;
    readonly position: string | undefined;
  };
  restoreMs?: number;
  examination?: Examination;
}

/** A drill, and what only the next decision needs. */
export interface DrillAttempt {
  readonly report: DrillReport;
  readonly seen: Seen;
  /** Set if the drill ended early. */
  readonly failure: unknown;
}

/** Rejects only with the reason of the signal. Everything else is a result. */
export async function drill(options: DrillOptions): Promise<DrillReport> {
  return (await attemptDrill(options)).report;
}

/** See `drill`. */
export async function attemptDrill(options: DrillOptions): Promise<DrillAttempt> {
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
  const kind = options.base === undefined ? 'full' : 'warm';
  return { report: toReport({ at, kind }, seen, failure), seen, failure };
}

/** The report of a drill that could not begin, or whose process ended. */
export function unfinishedDrill(at: Date, error: unknown): DrillReport {
  return toReport({ at: at.toISOString(), kind: 'full' }, {}, error);
}

async function examine(options: DrillOptions, seen: Seen): Promise<void> {
  const { signal, integrityCheck, assertions, clock = systemClock } = options;
  const startedAt = clock.monotonic();
  const source = await options.open(signal);
  const output = options.base?.file ?? path.join(options.folder, 'restored.db');
  let positions: readonly Position[] | undefined;
  if ('v03' in source) {
    if (options.base !== undefined) throw new FullRestoreNeeded('it is a backup of Litestream 0.3');
    await restoreOld(source.v03, output, options, seen);
  } else positions = await restoreLTX(source, output, options, seen);
  seen.restoreMs = Math.round(clock.monotonic() - startedAt);

  const live = options.live && positions && { ...options.live, positions };
  if (integrityCheck === 'none' && assertions.length === 0 && live === undefined) return;
  const { state, databaseBytes } = seen.restored as NonNullable<Seen['restored']>;
  const restored = { file: output, ...state };
  const limitMs = options.examinationMsMax?.(databaseBytes);
  const request = { restored, integrityCheck, assertions, live };
  seen.examination = await examineRestored(request, { limitMs, signal });
  const { obstacle } = seen.examination;
  if (obstacle !== undefined) throw uncheckedError(options.folder, obstacle);
}

function toReport(
  start: Pick<DrillReport, 'at' | 'kind'>,
  seen: Seen,
  error: unknown,
): DrillReport {
  const { listed, restored, restoreMs, examination } = seen;
  const assertions = examination?.assertions ?? [];
  const live = examination?.live;
  const comparison = compared(restored, live);
  const { result, problems } = judge({
    error,
    avoided: restored?.avoided ?? [],
    corruption: examination?.corruption,
    assertions,
    comparison,
  });
  const newestTXID = listed?.newest.txid;
  return {
    result,
    problems,
    ...start,
    newestTXID: newestTXID ? formatTXID(newestTXID) : undefined,
    txid: restored?.txid,
    generation: restored?.generation,
    position: restored?.position,
    timestamp: restored?.timestamp,
    restoreMs: start.kind === 'warm' ? undefined : restoreMs,
    lossWindowMs: listed && lossWindowMs(listed.newest, listed.atMs, live),
    filesListed: listed?.files,
    filesRead: restored?.filesRead,
    bytesRead: restored?.bytesRead,
    databaseBytes: restored?.databaseBytes,
    assertions,
    comparison,
  };
}

function compared(restored: Seen['restored'], live: Examination['live']): Comparison {
  if (restored === undefined) return { kind: 'not compared', why: 'nothing was restored' };
  if (restored.generation === undefined) return toComparison(live, restored.state);
  const why = 'a backup of Litestream 0.3 does not say which TXID it is';
  return { kind: 'not compared', why };
}
