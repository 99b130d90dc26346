/** Deletes the files of a check, and reports leftovers. */

import { deletionReport, NOTHING_WRITTEN } from './verdicts.ts';
import type { ProbeObjects } from './objects.ts';
import { notJudged, type FeatureReport } from './report.ts';
import type { ProbeReplica } from './probe-replica.ts';
import { isError } from '../error.ts';
import type { Destination } from '../replica/destination.ts';
import { sleep } from '../store/abort.ts';
import type { TimerClock } from '../store/timers.ts';

/** Maximum time for the clean-up: an aborted check waits for it. */
const CLEAN_UP_MS_MAX = 15_000;
/** Deleted files may be listed for a moment: number of listings, and the delay between them. */
const LOOKS_MAX = 3;
const LOOK_AGAIN_MS = 1_000;

export interface CleanUp {
  readonly replica: ProbeReplica;
  readonly objects: ProbeObjects;
  /** The destination, opened for reading. A folder that it still finds was not removed. */
  readonly reader: Destination | undefined;
  /** Folders that are removed with their files, if replicas are folders. The innermost first. */
  readonly folders: readonly string[];
  readonly clock: TimerClock;
}

export interface CleanedUp {
  readonly report: FeatureReport;
  /** Keys of objects that exist or may exist. */
  readonly left: readonly string[];
}

/** Does not use the caller's signal: the files are also deleted after an abort. */
export async function cleanUp(of: CleanUp): Promise<CleanedUp> {
  const { replica, objects } = of;
  const signal = AbortSignal.timeout(CLEAN_UP_MS_MAX);
  const tried = [...replica.tried.map((ref) => replica.labelOf(ref)), ...objects.tried];
  if (tried.length === 0) {
    return { report: notJudged('delete', NOTHING_WRITTEN), left: [] };
  }
  const refusals = [
    await errorOf(() => replica.deleteTried(signal)),
    await errorOf(() => objects.deleteTried(signal)),
  ];
  const error = refusals.find((refusal) => refusal !== undefined);
  const left = await findLeftovers(of, signal);
  const written = replica.written + objects.tried.length;
  const { path } = replica;
  if (left?.length === 0 && error === undefined) {
    const folder = await findRemainingFolder(of, signal);
    if (folder !== undefined) {
      const stays = [`the folder ${folder}`];
      return { report: deletionReport({ path, written, error, left: stays }), left: stays };
    }
  }
  const report = deletionReport({ path, written, error, left });
  const stays = left ?? (error === undefined ? [] : tried);
  return { report, left: stays.map((label) => replica.keyOf(label)) };
}

/** The labels of files that are still listed; undefined if they cannot be listed. */
async function findLeftovers(
  { replica, objects, clock }: CleanUp,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  try {
    for (let looks = 1; ; looks += 1) {
      const files = await replica.list('all', { signal });
      const names = objects.tried.length === 0 ? [] : await objects.names(signal);
      const left = [...files.map((file) => replica.labelOf(file)), ...names];
      if (left.length === 0 || looks === LOOKS_MAX) return left;
      await sleep(clock, LOOK_AGAIN_MS, signal);
    }
  } catch {
    return undefined; // the verdict on `list` has the reason
  }
}

/** A listing does not show empty folders, so a reader looks for each of them. */
async function findRemainingFolder(
  { reader, folders }: CleanUp,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (reader?.capabilities.folders !== true) return undefined;
  for (const path of folders) {
    const error = await errorOf(() => reader.replica(path).listFiles(0, { signal }).next());
    if (!isError(error, 'REPLICA_DESTINATION_NOT_FOUND')) return path;
  }
  return undefined;
}

async function errorOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error;
  }
}
